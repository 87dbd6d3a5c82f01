// When to read a room again: after something happened to it that was not the reading itself.
import { useEffect, useRef } from "preact/hooks";

const READS = "operate"; // the call that every operation of the realtime API is
const SETTLE_MS = 500; // a busy room is read again no more often
const KEPT_READINGS = 5;
const KEPT_EVENTS = 200;

/** `read`: what `useCall("room")` returned. Returns what is to be called with the room's events. */
export function useRereading(read) {
  const readings = useRef([]);
  const heard = useRef([]);
  const timer = useRef();
  const latest = useRef(read);
  latest.current = read;
  const settle = () => {
    timer.current = undefined;
    if (latest.current.loading) return; // its end comes here again
    const others = heard.current.filter((event) => !isReading(event, readings.current));
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
    readings.current = [...readings.current, { began, ended, calls }].slice(-KEPT_READINGS);
    settleLater();
  }, [read.data]);
  return (events) => {
    heard.current = [...heard.current, ...events].slice(-KEPT_EVENTS);
    settleLater();
  };
}

/** Whether an event is a call of one of the readings; each has so many, and no more. */
function isReading(event, readings) {
  if (event.what !== READS) return false;
  const reading = readings.find(({ began, ended, calls }) =>
    calls > 0 && began <= event.at_ms && event.at_ms <= ended);
  if (reading) reading.calls -= 1;
  return reading !== undefined;
}
