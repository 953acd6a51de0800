"use strict";
(() => {
  const EVERY = 10_000, TIMEOUT = 8_000;
  const note = document.getElementById("note");
  // In the viewer's zone, written as the server writes UTC.
  const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  const { timeZone } = format.resolvedOptions();
  let timer = 0, busy = false;

  const main = () => document.querySelector("main");
  const key = (element) => element.id || element.getAttribute("href");
  const local = (iso) => format.format(new Date(iso));

  function prepare(root) {
    for (const one of root.querySelectorAll("time[datetime]")) {
      one.title = `${one.textContent} UTC`;
      one.textContent = local(one.dateTime).slice(0, one.textContent.length);
    }
    for (const one of root.querySelectorAll(".zone")) one.textContent = timeZone;
    for (const one of root.querySelectorAll("form[hidden]")) one.hidden = false;
  }

  function replace(fresh) {
    const open = new Set([...main().querySelectorAll("details[open]")].map((one) => one.id));
    const held = main().contains(document.activeElement) ? key(document.activeElement) : null;
    const { scrollX, scrollY } = window;
    for (const one of fresh.querySelectorAll("main details")) one.open = open.has(one.id);
    prepare(fresh.querySelector("main"));
    main().replaceWith(document.adoptNode(fresh.querySelector("main")));
    document.title = fresh.title;
    document.querySelector("link[rel=icon]").href = fresh.querySelector("link[rel=icon]").href;
    if (held) {
      const same = [...main().querySelectorAll("a, summary, input")].find((one) => key(one) === held);
      same?.focus({ preventScroll: true });
    }
    window.scrollTo(scrollX, scrollY);
  }

  function showStatus(reason) {
    const text = reason && `Not up to date since ${local(main().dataset.now)}: ${reason}.`;
    document.body.classList.toggle("stale", reason !== "");
    if (note.textContent !== text) note.textContent = text;
  }

  const isTyping = () => [...main().querySelectorAll("input")].some((one) => one.value !== one.defaultValue);

  async function update() {
    // No credentials in the address: a page opened with some could not ask for itself.
    const here = location.origin + location.pathname + location.search;
    const signal = AbortSignal.timeout(TIMEOUT);
    const answer = await fetch(here, { cache: "no-store", signal });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!fresh.querySelector("main")) return `the daemon answers ${answer.status}`;
    if (fresh.documentElement.dataset.assets !== document.documentElement.dataset.assets) {
      location.reload();
      return "another version answers";
    }
    if (!getSelection().isCollapsed) return "text is selected";
    if (isTyping()) return "a search is being typed";
    replace(fresh);
    return "";
  }

  async function refresh() {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    showStatus(await update().catch(() => "the daemon cannot be reached"));
    busy = false;
    timer = setTimeout(refresh, EVERY);
  }

  // The page's policy lets no form be sent anywhere: a search is another address.
  document.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(event.target)].filter(([, value]) => value);
    location.assign(`${location.pathname}?${new URLSearchParams(given)}`);
  });
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("online", refresh);
  prepare(document);
  timer = setTimeout(refresh, EVERY);
})();
