/* The player under a row: waveform in two lanes, seek, skip, speed, keys, time marks; and what was really heard.

   It enhances what the server has drawn: without it there is the browser's own <audio>. It knows no sentence;
   every word stands in the page. */
"use strict";

(() => {
  const SKIP = 5;
  const HEARD_EVERY_MS = 15000;
  /* How high the strip is in which a lane's name stands. */
  const NAME_PIXELS = 14;

  const clock = (seconds) => {
    const whole = Math.floor(seconds);
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    const rest = String(whole % 60).padStart(2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };

  class Player {
    constructor(root) {
      this.root = root;
      this.audio = root.querySelector("audio");
      this.wave = root.querySelector(".wave");
      this.canvas = root.querySelector("canvas");
      this.toggle = root.querySelector(".toggle");
      this.speed = root.querySelector(".speed");
      this.lanes = null;
      this.heardFrom = null;
      this.heard = [];
      this.audio.controls = false;
      root.querySelector(".controls").hidden = false;
      this.marks = this.makeMarks();
      this.listen();
      this.fetchPeaks();
      this.show();
      if ("autoplay" in root.dataset) {
        this.audio.play().catch(() => {});
        this.toggle.focus({ preventScroll: true });
      }
    }

    get duration() {
      return Number.isFinite(this.audio.duration) ? this.audio.duration : Number(this.root.dataset.ms) / 1000;
    }

    /* --- moving ------------------------------------------------------------------------------- */

    seek(seconds) {
      this.audio.currentTime = Math.min(Math.max(seconds, 0), this.duration);
      this.show();
    }

    flip() {
      if (this.audio.paused) this.audio.play().catch(() => {});
      else this.audio.pause();
    }

    faster(step) {
      const next = this.speed.selectedIndex + step;
      this.speed.selectedIndex = Math.min(Math.max(next, 0), this.speed.options.length - 1);
      this.audio.playbackRate = Number(this.speed.value);
    }

    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const at = event.target;
      if (at === this.speed && event.key !== "Escape") return;
      const pressed = at.closest("button, a, summary") && [" ", "Enter"].includes(event.key);
      const deed = pressed ? null : this.deeds[event.key];
      if (!deed) return;
      event.preventDefault();
      deed();
    }

    deeds = {
      " ": () => this.flip(),
      k: () => this.flip(),
      ArrowLeft: () => this.seek(this.audio.currentTime - SKIP),
      ArrowRight: () => this.seek(this.audio.currentTime + SKIP),
      Home: () => this.seek(0),
      End: () => this.seek(this.duration),
      "<": () => this.faster(-1),
      ">": () => this.faster(1),
      Escape: () => this.root.dispatchEvent(new CustomEvent("player:close", { bubbles: true })),
    };

    /* --- what happens ------------------------------------------------------------------------- */

    listen() {
      const { audio, wave } = this;
      this.toggle.addEventListener("click", () => this.flip());
      this.speed.addEventListener("change", () => this.faster(0));
      for (const button of this.root.querySelectorAll("[data-skip]")) {
        button.addEventListener("click", () => this.seek(audio.currentTime + Number(button.dataset.skip)));
      }
      this.root.addEventListener("keydown", (event) => this.key(event));
      const drag = (event) => {
        const box = wave.getBoundingClientRect();
        this.seek(((event.clientX - box.left) / box.width) * this.duration);
      };
      wave.addEventListener("pointerdown", (event) => {
        wave.setPointerCapture(event.pointerId);
        drag(event);
      });
      wave.addEventListener("pointermove", (event) => {
        if (wave.hasPointerCapture(event.pointerId)) drag(event);
      });
      audio.addEventListener("play", () => this.started());
      audio.addEventListener("pause", () => this.stopped());
      audio.addEventListener("seeking", () => this.closeHeard());
      audio.addEventListener("seeked", () => this.openHeard());
      audio.addEventListener("timeupdate", () => this.show());
      audio.addEventListener("loadedmetadata", () => this.show());
      audio.addEventListener("ended", () => this.next());
      new ResizeObserver(() => this.draw()).observe(wave);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    }

    started() {
      for (const other of document.querySelectorAll("audio")) if (other !== this.audio) other.pause();
      this.root.classList.add("playing");
      this.toggle.setAttribute("aria-label", this.toggle.dataset.pause);
      this.openHeard();
      const step = () => {
        this.show();
        if (!this.audio.paused && this.root.isConnected) requestAnimationFrame(step);
        if (!this.root.isConnected) this.audio.pause();
      };
      requestAnimationFrame(step);
    }

    stopped() {
      this.root.classList.remove("playing");
      this.toggle.setAttribute("aria-label", this.toggle.dataset.play);
      this.closeHeard();
      this.tell();
    }

    /* The segments of one call are played one after the other. */
    next() {
      const all = [...this.root.parentElement.querySelectorAll(".player")];
      all[all.indexOf(this.root) + 1]?.player?.flip();
    }

    /* --- what was heard: told to the audit log --------------------------------------------------- */

    openHeard() {
      if (!this.audio.paused) this.heardFrom = this.audio.currentTime;
      this.last = this.audio.currentTime;
    }

    closeHeard() {
      if (this.heardFrom !== null && this.last > this.heardFrom) {
        this.heard.push([Math.round(this.heardFrom * 1000), Math.round(this.last * 1000)]);
      }
      this.heardFrom = null;
    }

    tell() {
      if (!this.heard.length) return;
      const body = JSON.stringify({ ranges: this.heard.splice(0) });
      const csrf = document.querySelector("meta[name=csrf]").content;
      const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
      this.toldAt = Date.now();
      fetch(`/media/${this.root.dataset.sound}/heard`, { method: "POST", body, headers, keepalive: true }).catch(() => {});
    }

    /* --- what is shown --------------------------------------------------------------------------- */

    show() {
      const at = this.audio.currentTime;
      if (this.heardFrom !== null && !this.audio.seeking) {
        this.last = at;
        if (Date.now() - (this.toldAt ??= Date.now()) > HEARD_EVERY_MS) {
          this.closeHeard();
          this.tell();
          this.openHeard();
        }
      }
      this.root.querySelector(".at").textContent = clock(at);
      this.root.querySelector(".of").textContent = clock(this.duration);
      this.wave.setAttribute("aria-valuenow", Math.floor(at));
      this.wave.setAttribute("aria-valuemax", Math.floor(this.duration));
      this.wave.setAttribute("aria-valuetext", `${clock(at)} / ${clock(this.duration)}`);
      this.draw();
    }

    makeMarks() {
      return [...this.root.querySelectorAll(".marks li")].map((item) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "mark";
        button.append(...item.childNodes);
        button.addEventListener("click", () => this.seek(Number(item.dataset.ms) / 1000));
        item.append(button);
        return Number(item.dataset.ms) / 1000;
      });
    }

    async fetchPeaks() {
      try {
        const answer = await fetch(`/media/${this.root.dataset.sound}/peaks`);
        if (!answer.ok) return;
        const peaks = await answer.json();
        this.lanes = peaks.lanes;
        this.nameLanes();
        this.draw();
      } catch {
        /* without a waveform the line is still there to seek on */
      }
    }

    /* Who is heard in which lane; one lane is everybody. */
    nameLanes() {
      if (this.lanes.length < 2) return;
      const names = this.lanes.map((lane) => {
        const name = document.createElement("span");
        name.textContent = lane.label;
        return name;
      });
      this.root.querySelector(".lanes").replaceChildren(...names);
      this.wave.classList.add("named");
    }

    draw() {
      const scale = window.devicePixelRatio || 1;
      const width = Math.round(this.wave.clientWidth * scale);
      const height = Math.round(this.wave.clientHeight * scale);
      if (!width || !height) return;
      if (this.canvas.width !== width) this.canvas.width = width;
      if (this.canvas.height !== height) this.canvas.height = height;
      const pen = this.canvas.getContext("2d");
      const style = getComputedStyle(this.wave);
      const colour = (name) => style.getPropertyValue(name);
      const played = (this.audio.currentTime / this.duration) * width;
      pen.clearRect(0, 0, width, height);
      const lanes = this.lanes ?? [{ peaks: [] }];
      /* Each lane has its name above it, and nothing is drawn there. */
      const strip = lanes.length > 1 ? NAME_PIXELS * scale : 0;
      const room = height / lanes.length - strip;
      lanes.forEach((lane, i) => {
        this.drawLane(pen, lane.peaks, (room + strip) * i + strip + room / 2, room, width, played, scale, colour);
      });
      pen.fillStyle = colour("--mark");
      for (const mark of this.marks) {
        const x = Math.round((mark / this.duration) * width);
        pen.fillRect(x, 0, Math.max(1, scale), height);
        pen.beginPath();
        pen.moveTo(x - 4 * scale, 0);
        pen.lineTo(x + 5 * scale, 0);
        pen.lineTo(x + 0.5 * scale, 6 * scale);
        pen.fill();
      }
      pen.fillStyle = colour("--head");
      pen.fillRect(Math.min(played, width - 2 * scale), 0, 2 * scale, height);
    }

    /* One voice: a bar for each three pixels, as high as the loudest of its buckets. */
    drawLane(pen, peaks, middle, room, width, played, scale, colour) {
      const step = 3 * scale;
      const bars = Math.floor(width / step);
      for (let bar = 0; bar < bars; bar++) {
        const from = Math.floor((bar / bars) * peaks.length);
        const to = Math.max(from + 1, Math.floor(((bar + 1) / bars) * peaks.length));
        let loudest = 0;
        for (let i = from; i < to && i < peaks.length; i++) if (peaks[i] > loudest) loudest = peaks[i];
        /* Speech is mostly quiet: the root makes it visible. */
        const high = Math.max(scale, Math.sqrt(loudest / 255) * (room - 4 * scale));
        pen.fillStyle = colour(bar * step < played ? "--played" : "--unplayed");
        pen.fillRect(bar * step, middle - high / 2, 2 * scale, high);
      }
    }
  }

  /* --- players come and go with the page ----------------------------------------------------------- */

  const wake = () => {
    for (const root of document.querySelectorAll(".player:not(.ready)")) {
      root.classList.add("ready");
      root.player = new Player(root);
    }
  };

  const everyPlayer = (deed) => {
    for (const root of document.querySelectorAll(".player.ready")) deed(root.player);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-seek]");
    if (!link) return;
    const player = [...document.querySelectorAll(".player.ready")].find((r) => r.dataset.sound === link.dataset.of)?.player;
    if (!player) return;
    event.preventDefault();
    player.seek(Number(link.dataset.seek) / 1000);
    player.audio.play().catch(() => {});
  });

  addEventListener("pagehide", () => everyPlayer((player) => (player.closeHeard(), player.tell())));
  new MutationObserver(wake).observe(document.documentElement, { childList: true, subtree: true });
  wake();
})();
