/* What the pages do beyond htmx: rows open and close, clocks of live calls run, the list follows ended calls.

   Without it every link and button still works. It knows no sentence. */
"use strict";

(() => {
  const opener = "a[hx-target='next .under']";

  const close = (body) => {
    const under = body.querySelector(".under");
    for (const audio of under.querySelectorAll("audio")) audio.pause();
    under.replaceChildren();
    body.classList.remove("opened");
    for (const link of body.querySelectorAll(opener)) link.setAttribute("aria-expanded", "false");
  };

  /* A second click on what opened a row closes it; htmx does the opening. */
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest(opener);
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      const body = link.closest("tbody");
      if (link.getAttribute("aria-expanded") === "true") {
        event.preventDefault();
        event.stopImmediatePropagation();
        close(body);
        return;
      }
      for (const audio of body.querySelectorAll(".under audio")) audio.pause();
      for (const other of body.querySelectorAll(opener)) other.setAttribute("aria-expanded", String(other === link));
      body.classList.add("opened");
    },
    true,
  );

  document.addEventListener("player:close", (event) => {
    const body = event.target.closest("tbody[data-call]");
    if (!body) return;
    const last = body.querySelector(`${opener}[aria-expanded=true]`) ?? body.querySelector(opener);
    close(body);
    last?.focus();
  });

  /* On a telephone the menu is wider than the page: the present place is shown. */
  document.querySelector(".sub-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  /* --- the calls of this moment -------------------------------------------------------------------- */

  const two = (n) => String(n).padStart(2, "0");
  const length = (s) => (s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`);

  /* The server's clock and ours differ; what counts is the time since the server drew the page. */
  const drawn = new WeakMap();
  setInterval(() => {
    for (const clock of document.querySelectorAll("time[data-age]")) {
      const age = Number(clock.dataset.age);
      let known = drawn.get(clock);
      if (known?.age !== age) drawn.set(clock, (known = { age, at: performance.now() }));
      clock.textContent = length(age + Math.floor((performance.now() - known.at) / 1000));
    }
  }, 1000);

  /* A page that nobody looks at asks for nothing. */
  document.addEventListener("htmx:before:request", (event) => {
    const polling = ["live", "status"].includes(event.target.id) && event.detail?.ctx?.request?.method?.toUpperCase() !== "POST";
    if (polling && document.hidden) event.preventDefault();
  });

  /* When a call has ended it stands in the list a moment later; nothing moves while somebody listens. */
  let known = document.getElementById("live")?.dataset.calls ?? "";
  document.addEventListener("htmx:after:swap", () => {
    const live = document.getElementById("live");
    if (!live || live.dataset.calls === known) return;
    const gone = known.split(" ").some((id) => id && !live.dataset.calls.split(" ").includes(id));
    known = live.dataset.calls;
    if (!gone) return;
    for (const after of [1200, 4000]) {
      setTimeout(() => {
        if (!document.querySelector("#calls .opened")) document.body.dispatchEvent(new Event("calls-changed"));
      }, after);
    }
  });
})();
