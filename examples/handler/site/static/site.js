const byId = (id) => document.getElementById(id);

new EventSource("/clock").onmessage = (event) => { byId("clock").textContent = event.data; };

const chat = new WebSocket("ws://" + location.host + "/chat?name=visitor");
chat.onmessage = (event) => {
  const line = document.createElement("li");
  line.textContent = event.data;
  byId("chat").append(line);
};
document.forms[0].onsubmit = (event) => {
  event.preventDefault();
  chat.send(byId("say").value);
  byId("say").value = "";
};
