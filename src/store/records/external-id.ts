/** Another key of the same owner that is not revoked has this external id. */
export class ExternalIdTaken extends Error {
  constructor() {
    super('another key of the same owner has this external id');
    this.name = 'ExternalIdTaken';
  }
}
