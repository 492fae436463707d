import "../src/worker.js";
