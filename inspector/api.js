// The admin API: `POST ../_admin/v1/{operation}`, JSON in, JSON or lines of JSON out.
import * as session from "./session.js";

const BASE = new URL("../_admin/v1/", new URL(location.pathname, location.origin));
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const MAX_CALL_MS = 30_000;
const MAX_LINE_CHARACTERS = 4 * 1024 * 1024;
const LASTING = new Set([400, 401, 403, 404]); // to try again would change nothing

/** Says "lost" when the host did not answer, or a stream ended that has no end. */
export const connection = new EventTarget();

/** A refusal. `status`: of HTTP, 0 if the host did not answer. `code`: a stable word. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What an operation returns. ApiError: it refused. */
export async function call(operation, input, signal) {
  const late = AbortSignal.timeout(MAX_CALL_MS);
  const response = await request(operation, input, signal ? AbortSignal.any([signal, late]) : late);
  return response.json();
}

/**
 * The lines of an endless operation, to `onLine`, until `signal` aborts. It begins again after the
 * host has gone; `onState` hears "live", "waiting", or "refused" with the error, which is the end.
 */
export async function follow(operation, input, { signal, onLine, onState }) {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const response = await request(operation, input, signal);
      onState("live");
      pause = FIRST_PAUSE_MS;
      for await (const line of linesOf(response.body)) {
        if (line.error) throw new ApiError(500, line.error.code, line.error.message);
        onLine(line);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (LASTING.has(error.status)) return onState("refused", error);
    }
    if (signal.aborted) return;
    onState("waiting");
    connection.dispatchEvent(new Event("lost"));
    await sleep(pause, signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

async function request(operation, input, signal) {
  let response;
  try {
    response = await fetch(new URL(operation, BASE), {
      method: "POST",
      headers: {
        authorization: `Bearer ${session.current().key}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(input ?? {}),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal,
    });
  } catch (error) {
    if (signal.aborted && signal.reason?.name !== "TimeoutError") throw error;
    connection.dispatchEvent(new Event("lost"));
    throw new ApiError(0, "unreachable", "The host does not answer.");
  }
  if (response.ok) return response;
  if (response.status === 401) session.refuse();
  const problem = await response.json().catch(() => ({}));
  const message = problem.message ?? `The host answered ${response.status}.`;
  throw new ApiError(response.status, problem.code ?? "unknown", message);
}

async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      if (rest.length > MAX_LINE_CHARACTERS) throw new ApiError(0, "too_long", "A line has no end.");
      for (const line of lines) if (line) yield JSON.parse(line);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
