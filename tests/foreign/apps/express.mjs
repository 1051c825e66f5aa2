// An Express app behind the gateway, on the Unix socket that it is given: it answers with what it was told. What stands
// before this, sign-in page included, is the example of docs/gateways.md.
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
// What it was told comes over the connection that is no longer HTTP.
server.on("upgrade", (req, connection) => {
  connection.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  connection.end(JSON.stringify({ path: req.url, headers: req.headers, admin: false }));
});
