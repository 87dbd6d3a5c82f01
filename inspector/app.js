// The frame of the page: the key, what there is to look at, and the view of the route.
import { useEffect, useRef } from "preact/hooks";

import { visible } from "./format.js";
import { html } from "./html.js";
import { KeyForm } from "./key_form.js";
import { HostContext, useHostPoll, useSession } from "./load.js";
import { LiveView } from "./live_view.js";
import { ObjectView } from "./object_view.js";
import { ObjectsView } from "./objects_view.js";
import { hrefOf, useRoute } from "./route.js";
import * as session from "./session.js";
import { Failure, Text } from "./widgets.js";

session.takeLink();
addEventListener("hashchange", session.takeLink);

export function App() {
  const { key, wrong, editing } = useSession();
  const polled = useHostPoll(key);
  const route = useRoute();
  if (!key) return html`<${KeyForm} wrong=${wrong} />`;
  const { host } = polled;
  if (!host) {
    return html`<main class="alone">
      ${polled.error
        ? html`<${Failure} error=${polled.error} />`
        : html`<p aria-busy="true">Asking the host</p>`}
    </main>`;
  }
  const shared = { ...polled, editing: editing && host.edit };
  return html`<${HostContext.Provider} value=${shared}>
    <a class="skip" href="#main" onClick=${skip}>To the content</a>
    <${Bar} host=${host} editing=${shared.editing} />
    ${!polled.online && html`<p class="banner" role="status">The host does not answer. Trying again.</p>`}
    <div class="frame">
      <${Contents} host=${host} route=${route} />
      <${View} route=${route} />
    </div>
    <footer><a href="licenses.txt">Licenses</a> of what this page is built from.</footer>
  <//>`;
}

function Bar({ host, editing }) {
  return html`<header class="bar ${editing ? "editing" : ""}">
    <a class="brand" href="#/"><strong>roomhost</strong> <span><${Text} of=${host.name} /></span></a>
    <span class="bar-end">
      ${host.edit && html`<label class="switch">
        <input type="checkbox" role="switch" checked=${editing}
          onChange=${(event) => session.edit(event.currentTarget.checked)} />
        Edit
      </label>`}
      <button type="button" class="outline secondary small" onClick=${session.forget}>Forget key</button>
    </span>
  </header>`;
}

function Contents({ host, route }) {
  const link = (namespace, shown) => html`<li>
    <a href=${hrefOf({ namespace })} aria-current=${route.namespace === namespace ? "page" : null}>
      <${Text} of=${shown} />
    </a>
  </li>`;
  return html`<nav class="contents" aria-label="What there is">
    <ul>
      <li><a href="#/" aria-current=${route.namespace === undefined ? "page" : null}>Live</a></li>
      ${host.bindings.map(({ binding, kind, namespaces }) =>
        kind === "class"
          ? link(namespaces[0] ?? binding, binding)
          : namespaces.map((name) => link(name, name)))}
    </ul>
  </nav>`;
}

function View({ route }) {
  const main = useRef();
  const shown = hrefOf({ ...route, query: {} });
  const first = useRef(true);
  useEffect(() => {
    document.title = `${titleOf(route)} · roomhost inspector`;
    if (!first.current) main.current.focus();
    first.current = false;
  }, [shown]);
  let view = html`<${LiveView} />`;
  if (route.name !== undefined || route.id !== undefined) {
    view = html`<${ObjectView} key=${shown} route=${route} />`;
  } else if (route.namespace !== undefined) {
    view = html`<${ObjectsView} key=${shown} route=${route} />`;
  }
  return html`<main id="main" tabindex="-1" ref=${main}>${view}</main>`;
}

function titleOf(route) {
  const object = route.name ?? route.id?.slice(0, 12);
  return [object, route.namespace ?? "Live"].filter((part) => part !== undefined).map(visible).join(" · ");
}

/** To the content without a change of the route. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}
