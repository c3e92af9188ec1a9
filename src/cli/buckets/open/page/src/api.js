// The program behind this page.

// Nobody answers: the shell was left.
export class Unreachable extends Error {}

// An answer that is no success, with its status and what it said.
export class Refused extends Error {
  constructor(status, answer) {
    super(answer?.detail ?? `refused with status ${status}`);
    this.status = status;
    this.answer = answer;
  }
}

export async function api(method, path, body, headers = {}) {
  const isText = typeof body === "string";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": isText ? "text/plain" : "application/json", ...headers },
      body: body === undefined || isText ? body : JSON.stringify(body),
    });
  } catch {
    throw new Unreachable("nobody answers");
  }
  const text = await response.text();
  let answer;
  try {
    answer = text === "" ? undefined : JSON.parse(text);
  } catch {
    answer = { detail: text.trim() };
  }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}
