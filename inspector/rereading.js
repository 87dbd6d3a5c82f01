// When to read a room again: after something happened to it that was not the reading itself.
import { useEffect, useRef } from "preact/hooks";

// What a reading of a room calls.
const READS = new Set(["document", "history", "lifecycle", "members", "metadata", "sync_yjs"]);
const SETTLE_MS = 500; // a busy room is read again no more often
const KEPT_READINGS = 50;
const KEPT_EVENTS = 200;

/**
 * `read`: what `useCall("room")` returned. Returns `heard`, to be called with the room's events as they
 * come, and `others`, which leaves those that are readings out of a list.
 */
export function useRereading(read) {
  const readings = useRef([]);
  const heard = useRef([]);
  const timer = useRef();
  const latest = useRef(read);
  latest.current = read;
  const settle = () => {
    timer.current = undefined;
    if (latest.current.loading) return; // its end comes here again
    const others = without(heard.current, readings.current);
    heard.current = [];
    if (others.length > 0) latest.current.reload();
  };
  const settleLater = () => {
    timer.current ??= setTimeout(settle, SETTLE_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (!read.data) return;
    const { began_ms: began, ended_ms: ended, calls } = read.data;
    readings.current = [...readings.current, { began, ended, calls, left: calls }].slice(-KEPT_READINGS);
    settleLater();
  }, [read.data]);
  return {
    heard(events) {
      heard.current = [...heard.current, ...events].slice(-KEPT_EVENTS);
      settleLater();
    },
    others: (events) =>
      without(events, readings.current.map((reading) => ({ ...reading, left: reading.calls }))),
  };
}

/** The events that are no call of one of the readings; each has so many `left`, and no more. */
function without(events, readings) {
  return events.filter((event) => {
    if (!READS.has(event.what)) return true;
    const reading = readings.find(({ began, ended, left }) =>
      left > 0 && began <= event.at_ms && event.at_ms <= ended);
    if (reading) reading.left -= 1;
    return reading === undefined;
  });
}
