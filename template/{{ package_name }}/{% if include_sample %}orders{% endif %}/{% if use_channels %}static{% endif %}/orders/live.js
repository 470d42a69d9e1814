// Keeps the list of orders true: fetches it after each message that something changed, and after each
// connection, since nobody knows what a lost one missed.
const PAUSE = 1500; // Milliseconds. The server is silent for a second after each message (live.py).
let stale = false;
let running = false;

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

async function refresh() {
  stale = true;
  if (running) return; // Once more, when that fetch is over: many changes, few requests.
  running = true;
  while (stale) {
    await pause(PAUSE + Math.random() * 500);
    stale = false;
    try {
      const response = await fetch(location.href);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const orders = page.querySelector("#orders");
      if (orders) document.querySelector("#orders").replaceWith(orders);
    } catch {
      stale = true; // The server is away.
    }
  }
  running = false;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/orders/`);
  socket.onopen = () => {
    document.body.classList.add("live");
    refresh();
  };
  socket.onmessage = refresh;
  socket.onclose = () => {
    document.body.classList.remove("live");
    setTimeout(connect, 1000 + Math.random() * 1000);
  };
}

connect();
// A message may get lost where the channel layer is full or away: ask while an order waits.
setInterval(() => document.querySelector("#orders [data-status=new]") && refresh(), 10000);
