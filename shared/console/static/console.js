"use strict";
// Pages work without this. It keeps the parts marked data-live up to date, shows the figures of bars in words and says
// early where signing in cannot work.

const REFRESH_HEADER = "X-Console-Refresh";

class LivePage {
  constructor(parts) {
    this.parts = parts;
    this.timer = null;
    this.stale = document.getElementById("live-stale");
    document.addEventListener("visibilitychange", () => this.schedule(document.hidden ? null : 0));
    this.schedule(this.interval());
  }

  // Each part says how many seconds it may be old; a page in the middle of something says fewer.
  interval() {
    return 1000 * Math.min(...this.parts.map((part) => Number(part.dataset.live)));
  }

  schedule(delay) {
    clearTimeout(this.timer);
    // A page that nobody sees asks for nothing.
    this.timer = delay === null || document.hidden ? null : setTimeout(() => this.refresh(), delay);
  }

  async refresh() {
    try {
      const answer = await fetch(location.href, { headers: { [REFRESH_HEADER]: "1" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") {
        // The session has ended: the reload leads to the sign-in page.
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      this.show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      this.setStale(false);
    } catch {
      this.setStale(true);
    }
    this.schedule(this.interval());
  }

  show(fresh) {
    for (const part of this.parts) {
      const replacement = fresh.getElementById(part.id);
      // What somebody is reading with the keyboard is not taken away under their fingers.
      if (!replacement || part.contains(document.activeElement)) continue;
      part.className = replacement.className;
      // Once a state is final, its page says no interval any more.
      part.dataset.live = replacement.dataset.live ?? "3600";
      if (part.innerHTML === replacement.innerHTML) continue;
      const open = new Set([...part.querySelectorAll("details[open][id]")].map((details) => details.id));
      part.replaceChildren(...replacement.childNodes);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    }
  }

  setStale(isStale) {
    if (this.stale) this.stale.hidden = !isStale;
  }
}

// The figures of a bar that somebody points at, presses or reaches by keyboard stand in words below the plot.
function showFigures(event) {
  const strip = event.target instanceof Element ? event.target.closest(".strip") : null;
  const line = strip?.closest("figure").querySelector(".figures");
  if (line) line.textContent = strip.getAttribute("aria-label");
}
for (const kind of ["pointerover", "focusin", "click"]) document.addEventListener(kind, showFigures);

const live = [...document.querySelectorAll("[data-live]")];
if (live.length > 0) new LivePage(live);

const insecure = document.getElementById("insecure");
if (insecure) insecure.hidden = window.isSecureContext;

document.querySelector("form[data-submit]")?.requestSubmit();

// Alt with a digit or letter presses what carries it; by the key's place, since Alt changes what some keyboards type.
document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const key = event.code.replace(/^(Digit|Numpad|Key)/, "").toLowerCase();
  const target = /^[a-z0-9]$/.test(key) ? document.querySelector(`[data-key="${key}"]`) : null;
  if (!target) return;
  event.preventDefault();
  target.click();
});
