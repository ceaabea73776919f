// The player and the picture of the page. Gradio runs this once, with `element`, `props` and `watch`.
//
// All performances of a song play at the same time, and all but one are silent. So another one can be heard from the
// same moment on, without a gap. `props.value` has the addresses of the `sounds`, the `song`, and its `end` in seconds.

const RATE = 22050; // as the sounds have it; decoding would otherwise double what they need in memory
const FADE = 0.005; // seconds; shorter ones click
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const STEPS = { bar: [1, 2, 4, 8, 16, 32, 64, 128], second: [1, 2, 5, 10, 20, 30, 60, 120] };
const ROOM = { bar: 26, second: 40, lyric: 30 }; // pixels that a label needs

let context = null; // made by the first press of Play, as browsers demand
let buffers = []; // the decoded sounds
let loaded = []; // their addresses; while the next ones are loaded, these still play
let sources = []; // what is playing: a source and its gain for each decoded sound
let heard = 1; // index into the sounds
let voice = null; // the name of what is heard
let playing = false;
let at = 0; // where it stands, in seconds; while it plays, where it stood at the context's time `since`
let since = 0;
let zoom = 0; // index into ZOOMS
let song = null;
let loads = 0;
let frame = 0;
let problem = "";

const all = (selector) => [...element.querySelectorAll(selector)];
const one = (selector) => element.querySelector(selector);
const sounds = () => props.value?.sounds ?? [];
const end = () => props.value?.end ?? 0;
const sounding = () => sources.length > 0;
const name = (address) => address?.split("/").pop(); // a voice's file has the same name in all takes of a song
const current = () => loaded.join() === sounds().join();
// A voice that is not loaded yet cannot be heard; the score is then.
const loud = () => Math.max(loaded.findIndex((each) => name(each) === voice), 0);
const position = () => Math.min(sounding() ? at + context.currentTime - since : at, end());

async function load() {
  const mine = ++loads;
  const wanted = [...sounds()];
  problem = "";
  try {
    const decoded = await Promise.all(
      wanted.map(async (address) => {
        const answer = await fetch(address);
        if (!answer.ok) throw new Error(answer.status);
        return context.decodeAudioData(await answer.arrayBuffer());
      }),
    );
    if (mine === loads) [buffers, loaded] = [decoded, wanted];
  } catch {
    if (mine !== loads) return false;
    pause();
    problem = "The sound could not be loaded; load the page again.";
  }
  return mine === loads && !problem;
}

function silence() {
  at = position();
  for (const { source } of sources) source.stop();
  sources = [];
}

function sound(from) {
  silence();
  at = from;
  since = context.currentTime;
  sources = buffers.map((buffer, i) => {
    const source = context.createBufferSource();
    const gain = context.createGain();
    source.buffer = buffer;
    gain.gain.value = i === loud() ? 1 : 0;
    source.connect(gain).connect(context.destination);
    source.start(0, from);
    return { source, gain };
  });
}

async function play() {
  playing = true;
  context ??= new AudioContext({ sampleRate: RATE });
  draw();
  await context.resume();
  if (!current() && !(await load())) return draw();
  if (playing) sound(at >= end() ? 0 : at);
  tick();
}

function pause() {
  playing = false;
  silence();
}

function tick() {
  cancelAnimationFrame(frame);
  if (sounding() && position() >= end()) {
    pause();
    at = 0;
  }
  draw();
  if (sounding()) frame = requestAnimationFrame(tick);
}

function seek(seconds) {
  const to = Math.max(0, Math.min(seconds, end()));
  if (sounding()) sound(to);
  else at = to;
  draw();
}

function hear(lane) {
  heard = (lane + sounds().length) % sounds().length;
  voice = name(sounds()[heard]);
  sources.forEach(({ gain }, i) => gain.gain.setTargetAtTime(i === loud() ? 1 : 0, context.currentTime, FADE));
  draw();
}

// Wider or narrower, around the cursor if it can be seen, or else around the middle, or around a place in pixels.
function zoomTo(index, around) {
  const scroll = one(".scroll");
  if (!scroll) return;
  const cursor = one(".cursor").offsetLeft - scroll.scrollLeft;
  const pixel = around ?? (cursor >= 0 && cursor <= scroll.clientWidth ? cursor : scroll.clientWidth / 2);
  const plot = one(".plot").getBoundingClientRect();
  const share = (pixel + scroll.getBoundingClientRect().left - plot.left) / plot.width;
  zoom = Math.max(0, Math.min(index, ZOOMS.length - 1));
  fit();
  const wider = one(".plot").getBoundingClientRect();
  scroll.scrollLeft += wider.left + share * wider.width - scroll.getBoundingClientRect().left - pixel;
  draw();
}

// Sets the picture's width, and hides labels that have no room in it.
function fit() {
  const wide = one(".wide");
  if (!wide) return;
  wide.style.setProperty("--zoom", ZOOMS[zoom]);
  const second = one(".plot").getBoundingClientRect().width / end();
  const bars = all("[data-bar]");
  const room = { bar: (second * end()) / Math.max(bars.length, 1), second };
  for (const kind of ["bar", "second"]) {
    const step = STEPS[kind].find((each) => each * room[kind] >= ROOM[kind]) ?? Infinity;
    for (const label of all(`[data-${kind}]`)) label.style.display = label.dataset[kind] % step ? "none" : "";
  }
  wide.classList.toggle("far", (second * end()) / props.value.notes < ROOM.lyric);
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// Shows the state; it is called at every frame while it plays, and whenever something has changed.
function draw() {
  const button = one("[data-do=play]");
  if (button.getAttribute("aria-label") !== (playing ? "Pause" : "Play")) {
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
    button.firstElementChild.textContent = playing ? "❚❚" : "▶";
  }
  const now = position();
  const slider = one(".position");
  slider.max = end();
  slider.value = now;
  slider.setAttribute("aria-valuetext", `${clock(now)} of ${clock(end())}`);
  one(".time").textContent = `${clock(now)} / ${clock(end())}`;
  one(".problem").textContent = problem;
  one("[data-do=out]").disabled = one("[data-do=fit]").disabled = zoom === 0;
  one("[data-do=in]").disabled = zoom === ZOOMS.length - 1;
  for (const radio of all("[name=heard]")) radio.checked = Number(radio.value) === heard;
  all(".lane").forEach((lane, i) => lane.classList.toggle("heard", i + 1 === heard));
  const scroll = one(".scroll");
  if (!scroll) return;
  one(".wide").style.setProperty("--at", end() ? now / end() : 0);
  const cursor = one(".cursor").offsetLeft - scroll.scrollLeft;
  if (sounding() && (cursor < 0 || cursor > scroll.clientWidth)) scroll.scrollLeft += cursor - 0.15 * scroll.clientWidth;
}

const ACTIONS = {
  play: () => (playing ? (pause(), draw()) : play()),
  in: () => zoomTo(zoom + 1),
  out: () => zoomTo(zoom - 1),
  fit: () => zoomTo(0),
  next: () => hear(heard + 1),
};
const KEYS = { " ": "play", "+": "in", "=": "in", "-": "out", 0: "fit", s: "next" };

element.addEventListener("click", (event) => {
  const action = event.target.closest("[data-do]")?.dataset.do;
  const picture = event.target.closest(".lane-picture");
  if (action) ACTIONS[action]();
  else if (picture) {
    const plot = picture.querySelector(".plot").getBoundingClientRect();
    seek(((event.clientX - plot.left) / plot.width) * end());
  }
});
element.addEventListener("input", (event) => {
  if (event.target.matches(".position")) seek(Number(event.target.value));
  if (event.target.matches("[name=heard]")) hear(Number(event.target.value));
});
element.addEventListener("keydown", (event) => {
  const action = KEYS[event.key];
  // A button and a radio button have a use of their own for the space bar.
  const own = event.key === " " && event.target.closest("button, input, a");
  if (!action || own || !sounds().length || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  ACTIONS[action]();
});
element.addEventListener(
  "wheel",
  (event) => {
    const scroll = event.target.closest(".scroll");
    if (!scroll || !(event.ctrlKey || event.metaKey)) return; // a pinch on a touchpad comes as Ctrl and wheel
    event.preventDefault();
    zoomTo(zoom - Math.sign(event.deltaY), event.clientX - scroll.getBoundingClientRect().left);
  },
  { passive: false },
);
let pinch = 0; // how far apart two fingers were at the last zoom
const fingers = ({ touches: [a, b] }) => [Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), (a.clientX + b.clientX) / 2];
element.addEventListener("touchstart", (event) => event.touches.length === 2 && ([pinch] = fingers(event)), { passive: true });
element.addEventListener(
  "touchmove",
  (event) => {
    const scroll = event.target.closest(".scroll");
    if (!scroll || event.touches.length !== 2) return;
    event.preventDefault();
    const [apart, middle] = fingers(event);
    const step = apart > 1.25 * pinch ? 1 : apart < 0.8 * pinch ? -1 : 0;
    if (!step) return;
    pinch = apart;
    zoomTo(zoom + step, middle - scroll.getBoundingClientRect().left);
  },
  { passive: false },
);
new ResizeObserver(() => (fit(), draw())).observe(element);

watch("value", async () => {
  loads += 1;
  problem = "";
  if (props.value?.song !== song) {
    pause();
    at = zoom = 0;
    song = props.value?.song;
  }
  const same = sounds().findIndex((each) => name(each) === voice);
  if (same >= 0) heard = same;
  else if (heard >= sounds().length) heard = 1;
  voice = name(sounds()[heard]);
  at = Math.min(at, end());
  fit();
  draw();
  // What plays goes on while the other performance is loaded, and is then replaced at the same position.
  if (playing && sounds().length && (await load()) && playing) {
    sound(position());
    tick();
  } else if (!sounds().length) pause();
  draw();
});
fit();
draw();
