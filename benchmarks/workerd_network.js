// What workerd runs in the rows of the network: the actors of network_app.py.
import { DurableObject } from "cloudflare:workers";

export class Echo extends DurableObject {
  async fetch(request) {
    if (!request.headers.has("upgrade")) return new Response("hello");

    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1]);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  webSocketMessage(ws, message) {
    ws.send(message);
  }
}

export class FanOut extends Echo {
  webSocketMessage(ws, message) {
    for (const each of this.ctx.getWebSockets()) each.send(message);
  }
}

export default {
  async fetch(request, env) {
    const [, binding, room] = new URL(request.url).pathname.split("/");
    const namespace = binding === "echo" ? env.ECHO : env.FAN_OUT;
    return await namespace.getByName(room).fetch(request);
  },
};
