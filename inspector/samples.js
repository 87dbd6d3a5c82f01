// The figures of the last minutes; they are collected for as long as the page is open.
import { useEffect, useState } from "preact/hooks";

import { call } from "./api.js";

const EVERY_MS = 1_000;
const KEPT = 180;

let kept = [];

/** The samples, oldest first, and the `error` of the last attempt. */
export function useSamples() {
  const [state, setState] = useState({ samples: kept });
  useEffect(() => {
    const controller = new AbortController();
    let timer;
    const take = async () => {
      try {
        const sample = await call("sample", {}, controller.signal);
        if (sample.at_ms > (kept.at(-1)?.at_ms ?? 0)) kept = [...kept, sample].slice(-KEPT);
        setState({ samples: kept });
      } catch (error) {
        if (controller.signal.aborted) return;
        setState({ samples: kept, error });
      }
      timer = setTimeout(take, EVERY_MS);
    };
    take();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, []);
  return state;
}
