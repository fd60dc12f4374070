// An answer that is no success, as RFC 9457 has it.
import { STATUS_CODES } from 'node:http';

export class Problem extends Error {
  constructor(status, detail, headers = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }

  body(requestId) {
    return JSON.stringify({
      type: 'about:blank', title: STATUS_CODES[this.status], status: this.status, detail: this.message, requestId,
    });
  }
}

// What the frameworks throw about a request (a body that is no JSON, one that is too large) has a statusCode below 500.
export function problemOf(error) {
  if (error instanceof Problem) return error;
  const { statusCode } = error;
  return statusCode >= 400 && statusCode < 500
    ? new Problem(statusCode, error.message) : new Problem(500, 'the request failed: tell us the requestId');
}
