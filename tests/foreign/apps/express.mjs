// An Express app behind the gateway, on the Unix socket that it is given: it answers with what it was told. What stands
// before this, sign-in page included, is the example of docs/gateways.md.
import { createHash } from "node:crypto";
import fs from "node:fs";

const seen = (admin) => async (req, res) => {
  const body = Buffer.concat(await req.toArray()).toString();
  res.json({ path: req.path, headers: req.headers, body, admin });
};
app.use("/admin", seen(true));
app.use(seen(false));
const socket = process.argv.at(-1);
const server = app.listen(socket, (error) => {
  if (error) throw error;
  fs.chmodSync(socket, 0o666);
  console.log("ready");
});
// A WebSocket's handshake (RFC 6455 §4.2.2); what the app was told comes behind it, without frames.
server.on("upgrade", (req, connection) => {
  const key = req.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(key).digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"];
  connection.write([...lines, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"));
  connection.end(JSON.stringify({ path: req.url, headers: req.headers, admin: false }));
});
