/** What cannot be done, as a sentence for people. */
export class EngineError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = "EngineError";
  }
}

/** A sentence of the engine, which begins with a small letter. */
export function engineError(what, text) {
  return new EngineError(`${what}: ${text}.`);
}
