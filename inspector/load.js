// Reading from the host inside components.
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";

import { call, connection } from "./api.js";
import * as session from "./session.js";

const POLL_MS = 5_000;
const LOST_POLL_MS = 500;

/** `host`: what it says of itself. `online`. `epoch`: grows when it is there again. `editing`. */
export const HostContext = createContext({ epoch: 0 });

export const useHost = () => useContext(HostContext);

/** The session now; the component is rendered again when it changes. */
export function useSession() {
  const [state, setState] = useState(session.current());
  useEffect(() => {
    setState(session.current()); // what came before anybody listened
    return session.subscribe(setState);
  }, []);
  return state;
}

/** What the host says of itself, again every few seconds; null without a key. */
export function useHostPoll(key) {
  const [state, setState] = useState({ epoch: 0, online: true });
  useEffect(() => {
    if (!key) return undefined;
    const controller = new AbortController();
    let timer;
    let lost = false;
    const poll = async () => {
      timer = undefined;
      let pause = POLL_MS;
      try {
        const host = await call("host", {}, controller.signal);
        lost = false;
        setState((was) => ({ host, online: true, epoch: was.epoch + (returned(was, host) ? 1 : 0) }));
      } catch (error) {
        if (controller.signal.aborted) return;
        setState((was) => ({ ...was, online: error.status !== 0, error }));
        lost = error.status === 0;
        if (lost) pause = LOST_POLL_MS;
      }
      timer = setTimeout(poll, pause);
    };
    const soon = () => {
      if (lost || timer === undefined) return; // it is known, or being asked
      clearTimeout(timer);
      poll();
    };
    connection.addEventListener("lost", soon);
    poll();
    return () => {
      controller.abort();
      clearTimeout(timer);
      connection.removeEventListener("lost", soon);
    };
  }, [key]);
  return state;
}

const returned = (was, host) =>
  was.online === false || (was.host && was.host.started_ms !== host.started_ms);

/**
 * The result of an operation: `data`, `error`, `loading`, `reload`. It is asked again when the input
 * changes, or when the host is there again; what was there stays until the answer comes.
 */
export function useCall(operation, input) {
  const { epoch } = useHost();
  const [state, setState] = useState({ loading: true });
  const [turn, setTurn] = useState(0);
  const asked = JSON.stringify(input);
  useEffect(() => {
    const controller = new AbortController();
    setState((was) => ({ ...was, loading: true }));
    call(operation, JSON.parse(asked), controller.signal).then(
      (data) => setState({ data, loading: false }),
      (error) => {
        if (!controller.signal.aborted) setState((was) => ({ ...was, error, loading: false }));
      },
    );
    return () => controller.abort();
  }, [operation, asked, epoch, turn]);
  return { ...state, reload: () => setTurn((before) => before + 1) };
}

/** Calls `work` every so many milliseconds while the page can be seen. */
export function useEvery(ms, work) {
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || latest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}

/** The time, again every second: for what says how long ago something was. */
export function useNow() {
  const [now, setNow] = useState(Date.now());
  useEvery(1_000, () => setNow(Date.now()));
  return now;
}
