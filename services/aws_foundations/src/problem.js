/**
 * An error that the caller may see, in the shape of RFC 9457: {title, detail, status, …members}.
 * `detail` holds no secret and nothing of anybody else's.
 */
import { STATUS_CODES } from 'node:http';

export class Problem extends Error {
  constructor(status, detail, { headers = {}, members = {} } = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.members = members;
  }

  toJSON() {
    return { title: STATUS_CODES[this.status], detail: this.message, status: this.status, ...this.members };
  }
}
