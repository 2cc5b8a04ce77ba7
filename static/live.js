// The inbox follows what happens: it asks every few seconds for versions, and fetches what differs.
(() => {
  const EVERY = 4000, AT_MOST = 60000;  // milliseconds; after failures the pauses grow
  const desk = document.querySelector("[data-live]");
  if (!desk) return;
  let timer, isAsking = false, failures = 0, typedAt = 0, said = "";

  const headers = { "HX-Request": "true" };  // so that a login that ended is a 401 and not a page
  const rows = () => document.getElementById("inbox-rows");
  const thread = () => document.getElementById("thread");
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");
  const say = (words) => { const region = document.getElementById("live"); if (region) region.textContent = words; };

  const asked = () => {
    const query = new URLSearchParams(rows()?.dataset.asks ?? "");
    if (rows()?.dataset.cursor) query.set("cursor", rows().dataset.cursor);
    if (thread()) query.set("open", thread().dataset.conversation);
    return query;
  };

  // Make a list look like a fresh one, without touching what is the same: its focus, ticks and open details stay.
  const sync = (list, fresh, isKept) => {
    const wanted = new Set([...fresh.children].map((item) => item.id));
    [...list.children].forEach((item) => { if (!wanted.has(item.id) && !isKept(item)) item.remove(); });
    const afterKept = (item) => { while (item && !wanted.has(item.id)) item = item.nextElementSibling; return item; };
    let place = list.firstElementChild;
    [...fresh.children].forEach((item) => {
      place = afterKept(place);
      let now = item.id && document.getElementById(item.id);
      if (now && now.dataset.version === item.dataset.version) {
        if (now !== place) list.insertBefore(now, place); else place = place.nextElementSibling;
        return;
      }
      const hadFocus = now?.contains(document.activeElement), wasTicked = now?.querySelector("[data-key-pick]")?.checked;
      if (now === place) place = place?.nextElementSibling ?? null;
      now?.remove();
      list.insertBefore(item, place);
      htmx.process(item);
      if (wasTicked) item.querySelector("[data-key-pick]").checked = true;
      if (hadFocus) item.querySelector("a, button")?.focus();
    });
  };

  const renewRows = async () => {
    const answer = await fetch(`${desk.dataset.rows}?${asked()}`, { headers });
    if (!answer.ok) return;
    const fresh = parse(await answer.text()).getElementById("inbox-rows");
    const list = rows();
    if (!list || list.dataset.asks !== fresh.dataset.asks) return;  // another list stands here by now
    const known = new Set([...list.children].map((item) => item.id));
    // What is ticked, has the focus or is open stays where it is until it is left: nobody acts on what jumped away.
    sync(list, fresh, (item) => item.querySelector("[data-key-pick]")?.checked || item.contains(document.activeElement) || item.querySelector("[aria-current]"));
    list.dataset.version = fresh.dataset.version;
    const added = [...fresh.children].length ? [...list.children].filter((item) => !known.has(item.id)).length : 0;
    if (added) say(`${added} new in this list`);
    document.dispatchEvent(new Event("inbox:renewed"));
  };

  const renewThread = async () => {
    const shown = thread();
    const path = location.pathname.endsWith("/") ? location.pathname : `${location.pathname}/`;
    if (!path.includes(shown.dataset.conversation)) return;
    const answer = await fetch(`${path}thread/${location.search}`, { headers });
    if (!answer.ok) return;
    const page = parse(await answer.text()), fresh = page.querySelector("[data-version]");
    if (shown !== thread()) return;  // another conversation stands here by now
    const log = shown.querySelector("[role=log]"), wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const known = shown.querySelectorAll(".bubble").length;
    sync(document.getElementById("timeline"), page.getElementById("timeline"), () => false);
    const head = document.getElementById("thread-head");
    if (!head.contains(document.activeElement) && !head.querySelector("details[open]")) {
      const freshHead = page.getElementById("thread-head");
      head.replaceWith(freshHead);
      htmx.process(freshHead);
    }
    // What came while somebody writes is on the screen; the server still refuses what was not.
    const last = shown.querySelector("input[name=last]");
    if (last) last.value = fresh.dataset.last;
    shown.dataset.version = fresh.dataset.version;
    if (wasAtEnd) log.scrollTop = log.scrollHeight;
    if (shown.querySelectorAll(".bubble").length > known) say("A new message in this conversation");
  };

  const ask = async () => {
    clearTimeout(timer);
    if (document.hidden || isAsking) return;
    isAsking = true;
    try {
      const query = asked();
      if (Date.now() - typedAt < 5000) query.set("typing", "1");
      const shown = thread();
      const answer = await fetch(`${desk.dataset.live}?${query}`, { headers });
      if (answer.status === 401 || answer.status === 403) return;  // the next press of a button says so
      if (!answer.ok) throw new Error(answer.status);
      const now = await answer.json();
      failures = 0;
      if (rows() && now.list && now.list !== rows().dataset.version) await renewRows();
      if (shown && shown === thread()) {
        if (!now.thread) location.assign("/inbox/");  // it is not this person's any more
        else if (now.thread !== shown.dataset.version && !shown.querySelector(".htmx-request")) await renewThread();
        const here = document.getElementById("here"), words = now.others.join(" ");
        if (here && words !== said) here.textContent = said = words;
      }
    } catch { failures += 1; } finally {
      isAsking = false;
      timer = setTimeout(ask, Math.min(EVERY * 2 ** failures, AT_MOST));
    }
  };

  document.addEventListener("input", (event) => { if (event.target.closest(".composer textarea")) typedAt = Date.now(); });
  ["visibilitychange", "online", "focus"].forEach((name) => (name === "visibilitychange" ? document : window).addEventListener(name, ask));
  // After one's own change the list is asked for at once: the answer that was sent is no longer one that waits.
  document.addEventListener("htmx:afterSettle", () => { said = ""; clearTimeout(timer); timer = setTimeout(ask, 300); });
  timer = setTimeout(ask, EVERY);
})();
