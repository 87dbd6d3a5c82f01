// What is shown, as the fragment of the address has it: `#/COUNTER/lobby?prefix=a`.
import { useEffect, useState } from "preact/hooks";

const ID = ":id"; // before the id of an object without a name; a name's colon is encoded

/** Of a fragment: `namespace`, `name` or `id` of an object, and `query`; each may be absent. */
export function parse(fragment) {
  const [path, query = ""] = fragment.replace(/^#?\/?/, "").split(/\?(.*)/s);
  const parts = path.split("/");
  const route = { query: Object.fromEntries(new URLSearchParams(query)) };
  if (parts[0]) route.namespace = decode(parts[0]);
  if (parts[1] === ID) route.id = decode(parts[2] ?? "");
  else if (parts.length > 1) route.name = decode(parts[1]);
  return route;
}

/** The fragment of a route. Of the query, what is empty or false is left out. */
export function hrefOf({ namespace, name, id, query = {} }) {
  let path = "#/";
  if (namespace !== undefined) path += encodeURIComponent(namespace);
  if (name !== undefined && name !== null) path += `/${encodeURIComponent(name)}`;
  else if (id !== undefined) path += `/${ID}/${encodeURIComponent(id)}`;
  const set = Object.entries(query).filter(([, value]) => value);
  const text = new URLSearchParams(set.map(([key, value]) => [key, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** The route now; the component is rendered again when it changes. */
export function useRoute() {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const changed = () => setFragment(location.hash);
    addEventListener("hashchange", changed);
    changed(); // what came before anybody listened
    return () => removeEventListener("hashchange", changed);
  }, []);
  return parse(fragment);
}

/** Changes the query without a step in the history, as while one types. */
export function replaceQuery(route, query) {
  history.replaceState(null, "", hrefOf({ ...route, query }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
