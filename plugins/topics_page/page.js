"use strict";
// External values (labels, words, errors) are set through textContent only, so they stay text.

const REFRESH_MS = 10000;
const STALE_SECONDS = 90;
const WORDS_SHOWN = 8;
const SAME_DRIFT = 0.005; // bits; chance moves the drift of a thousand tweets by as much
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

function element(tag, className, ...content) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const part of content) node.append(part); // a string becomes a text node
  return node;
}

function fill(id, ...nodes) {
  byId(id).replaceChildren(...nodes);
}

const empty = (text) => element("p", "empty", text);
const whole = (number) => Math.round(number).toLocaleString("en-US");

function isUnavailable(data, start) {
  return data.unavailable.some((one) => one.name.startsWith(start));
}

function utcTime(milliseconds) {
  return new Date(milliseconds).toISOString().slice(11, 19) + " UTC";
}

function utcMinute(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ") + " UTC";
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function showHour(data) {
  if (data.end_ms === null) {
    byId("hour").textContent = isUnavailable(data, "Counts") ? "Counts are not available." : "No tweets counted yet.";
    return;
  }
  const total = data.topics.reduce((sum, topic) => sum + topic.tweets, 0);
  const age = (data.now_ms - data.end_ms) / 1000;
  const end = age > STALE_SECONDS ? `${utcMinute(data.end_ms)}, ${duration(age)} ago` : utcTime(data.end_ms);
  byId("hour").textContent = `${whole(total)} tweets in the hour until ${end}`;
}

function partIsFine(part) {
  return part.ok && (part.age_seconds < STALE_SECONDS || part.state === "finished");
}

function showState(data) {
  const pill = byId("state");
  const ill = data.parts.filter((part) => !partIsFine(part));
  if (data.unavailable.length) {
    pill.className = "pill bad";
    pill.textContent = "Incomplete";
  } else if (!data.parts.length) {
    pill.className = "pill warn";
    pill.textContent = "Not started";
  } else if (ill.length) {
    pill.className = "pill warn";
    pill.textContent = `Check: ${ill.map((part) => part.part).join(", ")}`;
  } else {
    pill.className = "pill good";
    pill.textContent = "All parts are healthy";
  }
}

function showUnavailable(unavailable) {
  const banner = byId("unavailable");
  banner.hidden = unavailable.length === 0;
  banner.replaceChildren(...unavailable.map((one) => {
    const line = element("div", "");
    line.append(element("strong", "", `${one.name}: not available`), one.reason);
    return line;
  }));
}

function metric(name, value, title) {
  const box = element("div", "");
  if (title) box.title = title;
  box.append(element("dt", "", name), element("dd", "", value));
  return box;
}

function showChampion(data) {
  const { champion, waiting } = data;
  if (!champion) {
    fill("champion", empty(isUnavailable(data, "Models")
      ? "Unknown while the model store is unavailable."
      : waiting
        ? `No model serves yet. ${waiting.version}: ${[waiting.verdict, waiting.reason].filter(Boolean).join(": ")}`
        : `No model yet. topic_retraining trains the first one after ${whole(data.min_documents)} tweets.`));
    return;
  }
  const figures = champion.metrics;
  const list = element("dl", "");
  list.append(metric("Trained on", `${whole(champion.documents)} tweets`));
  if (figures.topics !== undefined) list.append(metric("Topics", whole(figures.topics)));
  const languages = (figures.languages || []).map((one) => `${one.language} ${whole(one.topics)}`);
  if (languages.length) {
    const title = "languages with their own topics, and how many; posts in others have none";
    list.append(metric("Languages", languages.join(" · "), title));
  }
  if (figures.coherence === null) {
    list.append(metric("Coherence", "not measured", "needs 20,000 held-out tweets"));
  } else if (figures.coherence !== undefined) {
    list.append(metric("Coherence", figures.coherence.toFixed(3), "NPMI of the top words; higher is better"));
  }
  if (figures.diversity !== undefined) {
    list.append(metric("Diversity", figures.diversity.toFixed(2), "share of top words that occur in only one topic"));
  }
  if (figures.perplexity !== undefined) {
    list.append(metric("Perplexity", whole(figures.perplexity), "on held-out tweets; lower is better"));
  }
  if (figures.coverage !== undefined) {
    list.append(metric("Coverage", `${(100 * figures.coverage).toFixed(1)} %`, "share of tweets with at least one known word"));
  }
  if (typeof figures.without_topic === "number") {
    const title = "share of held-out tweets without a known word or without a clear topic";
    list.append(metric("No topic", `${(100 * figures.without_topic).toFixed(1)} %`, title));
  }
  list.append(...freshness(champion, data.now_ms));
  const since = Date.parse(champion.promoted_at);
  const about = `${champion.trainer}, serving for ${duration((data.now_ms - since) / 1000)} (since ${utcMinute(since)})`;
  const lines = [element("p", "version", champion.version), element("p", "quiet", about), list];
  if (champion.provisional) {
    lines.splice(1, 0, element("p", "quiet", "Provisional: the first model, compared with no other one."));
  }
  if (champion.drift && champion.drift.advised) lines.push(advice(champion.drift));
  fill("champion", ...lines);
}

// how old the champion's topics are, and how far the last measured day is from them
function freshness(champion, now_ms) {
  const age = (now_ms - Date.parse(champion.trained_until)) / 1000;
  const boxes = [metric("Age", duration(age), "since the end of the tweets that it was trained on")];
  const drift = champion.drift;
  if (!drift || drift.word_drift === undefined) {
    boxes.push(metric("Drift", "not measured", "model_drift measures it every day, from the first whole day on"));
    return boxes;
  }
  const title = [
    `words of ${drift.day} against those of the training, in bits beyond chance (Jensen-Shannon); limit ${drift.limit}`,
    ...(drift.week_before === null ? [] : [`a week before ${drift.week_before.toFixed(3)}`]),
    ...(drift.topic_drift === undefined ? [] : [`topics ${drift.topic_drift.toFixed(3)}`]),
  ];
  boxes.push(metric("Drift", `${drift.word_drift.toFixed(3)} bits${trend(drift)}`, title.join("; ")));
  if (drift.share_without_topic !== undefined) {
    const share = `${(100 * drift.share_without_topic).toFixed(1)} %`;
    boxes.push(metric("Without a topic", share, `share of the tweets of ${drift.day}`));
  }
  return boxes;
}

function trend({ word_drift, week_before }) {
  if (week_before === null) return "";
  const change = word_drift - week_before;
  return Math.abs(change) < SAME_DRIFT ? " →" : change > 0 ? " ↑" : " ↓";
}

function advice({ day, limit }) {
  return element("p", "advice", `Retraining advised: the words of ${day} drifted by more than ${limit} bits.`);
}

function showParts(data) {
  if (!data.parts.length) {
    fill("parts", empty(isUnavailable(data, "Health")
      ? "Unknown while the health of the stream cannot be read."
      : "No part has reported yet. They report within a minute of the stack's start."));
    return;
  }
  fill("parts", ...data.parts.map((part) => {
    const fine = partIsFine(part);
    const row = element("div", "part");
    const lag = part.part.startsWith("producer") ? duration(part.lag) : whole(part.lag); // a producer's lag is in seconds, the others' in records
    const numbers = part.state === "finished" ? "" : `${part.rate.toFixed(1)}/s · ${lag} behind`;
    row.append(
      element("span", fine ? "dot good" : "dot"),
      element("span", "", `${part.part} `, element("span", "quiet", part.state)),
      element("span", "numbers", numbers),
    );
    const silent = part.age_seconds >= STALE_SECONDS && part.state !== "finished";
    const trouble = part.error || (silent ? `silent for ${duration(part.age_seconds)}` : "");
    if (trouble) row.append(element("span", fine ? "error quiet" : "error", trouble));
    return row;
  }));
}

function showPromotions(data) {
  if (!data.promotions.length) {
    fill("promotions", empty(isUnavailable(data, "Models")
      ? "Unknown while the model store is unavailable."
      : "None yet. Each promotion by model_promotion is listed here."));
    return;
  }
  fill("promotions", ...data.promotions.map((one) => {
    const row = element("div", "promotion");
    row.append(
      element("div", "", one.version),
      element("div", "quiet reason", `${utcMinute(Date.parse(one.promoted_at))} by ${one.by}: ${one.reason}`),
    );
    return row;
  }));
}

function sparkline(counts) {
  const width = 150, height = 30, pad = 2;
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "spark");
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `tweets per hour: ${counts.join(", ")}`);
  if (counts.length < 2) return picture;
  const top = Math.max(1, ...counts);
  const points = counts.map((count, place) => {
    const x = pad + (place * (width - 2 * pad)) / (counts.length - 1);
    const y = height - pad - (count * (height - 2 * pad)) / top;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const area = document.createElementNS(SVG, "polygon");
  area.setAttribute("class", "area");
  area.setAttribute("points", `${pad},${height} ${points.join(" ")} ${width - pad},${height}`);
  const curve = document.createElementNS(SVG, "polyline");
  curve.setAttribute("class", "curve");
  curve.setAttribute("points", points.join(" "));
  picture.append(area, curve);
  return picture;
}

function mood({ sentiment, scored, tweets }) {
  if (sentiment === null) {
    const none = element("span", "mood", "–");
    none.title = tweets ? "no tweet in a language of SENTIMENT_LANGUAGES" : "no tweet in the last hour";
    return none;
  }
  const kind = sentiment >= 0.05 ? "mood good" : sentiment <= -0.05 ? "mood bad" : "mood";
  const sign = sentiment > 0 ? "+" : sentiment < 0 ? "−" : "";
  const shown = element("span", kind, sign + Math.abs(sentiment).toFixed(2));
  shown.title = `mean of ${whole(scored)} of ${whole(tweets)} tweets: those in a language of SENTIMENT_LANGUAGES`;
  return shown;
}

// how many tweets a mean rests on, where it is not all of them
function basis({ sentiment, scored, tweets }) {
  return element("span", "basis", sentiment !== null && scored < tweets ? `n ${whole(scored)}` : "");
}

const called = ({ topic_id, label, name }) => name || label || `topic ${topic_id}`;

// below a person's name is the model's label, and below a row of several topics what they are
function labelCell(topic) {
  const { topic_id, label, language, name, parts } = topic;
  const cell = element("td", "label", called(topic));
  if (language) cell.append(element("span", "language", language));
  const shown = parts.map((part) => `${part.topic_id !== topic_id || !label ? called(part) : label} ${whole(part.tweets)}`);
  const below = parts.length ? `${parts.length} topics: ${shown.join(" + ")}` : name ? label : "";
  if (below) cell.append(element("div", "sublabel", below));
  cell.title = topic_id === -1
    ? "without a word that the model knows, in a language without topics, or without a clear topic"
    : (parts.length ? parts : [topic]).map((part) => `topic ${part.topic_id}: ${part.label}`).join("\n");
  return cell;
}

function topicRow(topic, counted) {
  const row = element("tr", topic.topic_id === -1 ? "rest" : "");
  row.append(
    labelCell(topic),
    element("td", "words", topic.top_words.slice(0, WORDS_SHOWN).join(", ")),
    element("td", "number", counted ? whole(topic.tweets) : "–"),
    element("td", "", sparkline(topic.history)),
    element("td", "number", basis(topic), mood(topic)),
  );
  return row;
}

function showTopics(data) {
  if (!data.topics.length) {
    fill("topics", empty(data.unavailable.length
      ? "Nothing to show while the stores above are unavailable."
      : "No topics yet. They appear a minute after the first model is promoted."));
    return;
  }
  const head = element("tr", "");
  for (const [name, kind] of [["Topic", ""], ["Top words", ""], ["Last hour", "number"], ["24 hours", ""], ["Sentiment", "number"]]) {
    const cell = element("th", kind, name);
    cell.scope = "col";
    head.append(cell);
  }
  const rows = data.topics.map((topic) => topicRow(topic, data.end_ms !== null || !isUnavailable(data, "Counts")));
  const table = element("table", "");
  table.append(element("thead", "", head), element("tbody", "", ...rows));
  fill("topics", table);
}

function show(data) {
  showHour(data);
  showState(data);
  showUnavailable(data.unavailable);
  showChampion(data);
  showParts(data);
  showPromotions(data);
  showTopics(data);
}

async function refresh() {
  try {
    const answer = await fetch("api/overview", { credentials: "same-origin" });
    if (answer.status === 401 || answer.status === 403) throw new Error("your session has ended; log in to Airflow again");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    byId("state").className = "pill bad";
    byId("state").textContent = "No connection";
    showUnavailable([{ name: "Airflow", reason: error.message }]);
  } finally {
    setTimeout(refresh, REFRESH_MS);
  }
}

// Airflow sets the class light or dark on its page; opened on its own, this page follows the system.
function hostTheme() {
  try {
    const host = window.parent !== window ? window.parent.document.documentElement : null;
    if (host && host.classList.contains("dark")) return "dark";
    if (host && host.classList.contains("light")) return "light";
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // a parent of another origin is not readable
  }
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function followTheme() {
  const apply = () => { document.documentElement.dataset.theme = hostTheme(); };
  apply();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  try {
    if (window.parent !== window) {
      new MutationObserver(apply).observe(window.parent.document.documentElement, { attributeFilter: ["class"] });
    }
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

followTheme();
refresh();
