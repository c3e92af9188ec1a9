// Small things about the page itself.

export function element(id) {
  return document.getElementById(id);
}

// A new element with that text; text is never read as HTML.
export function make(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function say(text) {
  const notice = element("notice");
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = text === "";
}

export function button(text, act) {
  const made = make("button", text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let step = 0;
  let value = count;
  while (value >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${step === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[step]}`;
}

export function seconds(count) {
  if (count < 60) return `${count.toFixed(1)} s`;
  const minutes = Math.floor(count / 60);
  return `${minutes} min ${Math.round(count - 60 * minutes)} s`;
}
