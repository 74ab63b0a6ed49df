"use strict";

const study = JSON.parse(document.getElementById("study").textContent);
const element = (id) => document.getElementById(id);
const SECTIONS = ["start", "trial", "pause", "end"];
const KEYS = { ArrowLeft: "real", f: "real", ArrowRight: "generated", j: "generated" };
// The empty stage before each picture.
const GAP_MS = 400;
// A picture is taken away at the screen's frame nearest to the wanted time, not at the
// one after; half a frame of the fastest common screens.
const HALF_FRAME_MS = 3;

const started = new Date().toISOString();
const rater = raterCode();
const trials = [];
// Set while a picture waits for its answer.
let takeAnswer = null;
let interrupted = false;
let unsaved = false;

// The code that the page was opened with, as page/index.html?rater=CODE, or a random one.
function raterCode() {
  const given = new URLSearchParams(location.search).get("rater") || "";
  if (/^[\w-]{1,64}$/.test(given)) return given;
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open(section) {
  for (const id of SECTIONS) element(id).hidden = id !== section;
  window.scrollTo(0, 0);
  // Not on a button: a key pressed too early must not answer.
  (element(section).querySelector("h2") || element(section)).focus();
}

function pressed(id) {
  return new Promise((resolve) => element(id).addEventListener("click", resolve, { once: true }));
}

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Decodes every picture before the first is shown, so that none appears late.
async function prepare() {
  const bitmaps = [];
  for (const { png } of study.trials) {
    const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
    bitmaps.push(await createImageBitmap(new Blob([bytes], { type: "image/png" })));
    element("begin").textContent = `Preparing picture ${bitmaps.length} of ${study.trials.length}`;
  }
  return bitmaps;
}

// Shows a picture for the wanted time; resolves to the time in milliseconds between the
// frame that drew it and the frame that took it away.
function show(bitmap) {
  const canvas = element("picture");
  const context = canvas.getContext("2d");
  const wanted = 1000 * study.seconds - HALF_FRAME_MS;
  return new Promise((resolve) => {
    let drawnAt = null;
    requestAnimationFrame(function frame(now) {
      if (drawnAt === null) {
        context.drawImage(bitmap, 0, 0);
        drawnAt = now;
      } else if (now - drawnAt >= wanted) {
        context.clearRect(0, 0, canvas.width, canvas.height);
        resolve(now - drawnAt);
        return;
      }
      requestAnimationFrame(frame);
    });
  });
}

// Waits for one answer; later clicks and keys find nothing to answer.
async function answered() {
  for (const id of ["real", "generated"]) element(id).disabled = false;
  const answer = await new Promise((resolve) => { takeAnswer = resolve; });
  takeAnswer = null;
  for (const id of ["real", "generated"]) element(id).disabled = true;
  return answer;
}

function announce(number) {
  const left = number - study.practice;
  element("status").textContent = left < 0
    ? `Practice ${number + 1} of ${study.practice}`
    : `Picture ${left + 1} of ${study.trials.length - study.practice}`;
  element("progress").value = number;
}

async function runTrial(number, bitmap) {
  announce(number);
  element("trial").focus();
  await wait(GAP_MS);
  interrupted = document.hidden;
  const shown = await show(bitmap);
  const asked = performance.now();
  const answer = await answered();
  trials.push({
    id: study.trials[number].id,
    answer,
    shown_ms: Math.round(10 * shown) / 10,
    answer_ms: Math.round(10 * (performance.now() - asked)) / 10,
    interrupted,
  });
}

async function runTrials(bitmaps) {
  const canvas = element("picture");
  [canvas.width, canvas.height] = [bitmaps[0].width, bitmaps[0].height];
  element("stage").style.setProperty("--shape", canvas.width / canvas.height);
  element("progress").max = bitmaps.length;
  open("trial");
  for (let number = 0; number < bitmaps.length; number += 1) {
    if (number === study.practice && number > 0) {
      open("pause");
      await pressed("go-on");
      open("trial");
    }
    await runTrial(number, bitmaps[number]);
  }
}

function offerAnswers() {
  const { study: name, version } = study;
  const finished = new Date().toISOString();
  const text = `${JSON.stringify({ study: name, version, rater, started, finished, trials }, null, 1)}\n`;
  element("rater").textContent = rater;
  element("text").value = text;
  element("text").addEventListener("focus", () => element("text").select());
  element("text").addEventListener("copy", () => { unsaved = false; });
  element("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `answers-${name}-${rater}.json`;
    link.click();
    unsaved = false;
    element("saved").textContent = `Saved as ${link.download}. You may close the page.`;
  });
  open("end");
}

function describe() {
  const { practice, seconds } = study;
  element("count").textContent = study.trials.length;
  element("seconds").textContent = seconds === 1 ? "1 second" : `${seconds} seconds`;
  if (practice) {
    element("practice-note").textContent = practice === 1
      ? "The first one is for practice. "
      : `The first ${practice} are for practice. `;
  }
}

function listen() {
  for (const id of ["real", "generated"]) {
    element(id).addEventListener("click", () => { if (takeAnswer) takeAnswer(id); });
  }
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const held = event.repeat || event.ctrlKey || event.altKey || event.metaKey;
    if (held || !(key in KEYS) || element("trial").hidden) return;
    // The arrows would scroll.
    event.preventDefault();
    if (takeAnswer) takeAnswer(KEYS[key]);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) interrupted = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
}

async function main() {
  describe();
  listen();
  const bitmaps = await prepare();
  element("begin").textContent = "Start";
  element("begin").disabled = false;
  await pressed("begin");
  unsaved = true;
  await runTrials(bitmaps);
  offerAnswers();
}

main();
