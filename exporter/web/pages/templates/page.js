// Renews the page in place, so that nothing is lost that the reader has opened, scrolled to, selected or typed. Without
// this file the page works too: then the browser loads it anew.
"use strict";
(() => {
  const root = document.documentElement;
  let timer = 0;
  let due = false; // a renewal fell into a time in which it would have disturbed
  let asking = false;

  const schedule = () => {
    clearTimeout(timer);
    const seconds = Number(document.body.dataset.refresh);
    if (seconds > 0) timer = setTimeout(renew, seconds * 1000);
  };

  const disturbing = () => {
    const selection = getSelection();
    return document.hidden || (selection !== null && !selection.isCollapsed);
  };

  const renew = () => {
    due = disturbing();
    if (due || asking) return schedule();
    asking = true;
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document"; // parsed, never run: no string becomes markup here
    request.timeout = 15000;
    request.setRequestHeader("Accept", "text/html");
    request.onloadend = () => {
      asking = false;
      const fresh = request.status === 200 && request.response;
      document.getElementById("lost").hidden = Boolean(fresh);
      if (fresh && !disturbing()) take(fresh);
      schedule();
    };
    request.send();
  };

  const take = (fresh) => {
    const focused = document.activeElement;
    document.title = fresh.title;
    for (const id of ["icon", "content"]) merge(document.getElementById(id), document.adoptNode(fresh.getElementById(id)));
    merge(document.querySelector("footer"), document.adoptNode(fresh.querySelector("footer")));
    document.body.dataset.refresh = fresh.body.dataset.refresh;
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  };

  // Make a node what the fresh one is and leave alone what is equal: elements keep their state where they are kept.
  const merge = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isReaders(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !isReaders(old, name)) old.setAttribute(name, value);
    }
    mergeChildren(old, fresh);
  };

  const isReaders = (element, attribute) => attribute === "open" && element.localName === "details";

  const mergeChildren = (old, fresh) => {
    const named = new Map([...old.children].filter((each) => each.id).map((each) => [each.id, each]));
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      let match = next.id ? named.get(next.id) : at;
      while (match && !next.id && match.id) match = match.nextSibling; // that one is another's
      if (match && match.nodeName === next.nodeName) {
        if (match !== at) old.insertBefore(match, at);
        merge(match, next);
        at = match.nextSibling;
      } else {
        old.insertBefore(next, at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      // There is no clipboard over plain HTTP: select it, and try the old way.
      getSelection().selectAllChildren(text);
      if (!document.execCommand("copy")) return;
      getSelection().removeAllRanges();
    }
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = before), 2000);
  };

  root.classList.add("scripted");
  addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("visibilitychange", () => {
    if (due && !document.hidden) renew();
  });
  schedule();
})();
