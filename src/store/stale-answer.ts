import { StoreUnavailable } from './store.ts';

/** The store answered, but what it said counts no more: memory of that age would not. */
export class StaleAnswer extends StoreUnavailable {
  constructor(message: string) {
    super(message);
    this.name = 'StaleAnswer';
  }
}
