import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { addLag, addProcess } from '../../src/telemetry/telemetry-gauges.ts';

const ms = 1e6;

it('The lag of the event loop is what a look at it was late by, and begins anew with each scrape', async () => {
  const registry = new Registry();
  const delays = {
    ...{ count: 3, min: 50 * ms, max: 850 * ms, mean: 60 * ms, stddev: 7 * ms },
    percentile: (part: number) => (part === 99 ? 450 * ms : 49 * ms),
    reset: () => Object.assign(delays, { count: 0, min: 9e18, max: 0, mean: Number.NaN, stddev: Number.NaN }),
  };
  addLag(registry, delays);
  const lags = async () => {
    const found = (await registry.metrics()).matchAll(/^nodejs_eventloop_lag_(\w+)_seconds (\S+)$/gm);
    return Object.fromEntries([...found].map(([, name, value]) => [name, Number(Number(value).toFixed(6))]));
  };
  expect(await lags()).toEqual({ min: 0, max: 0.8, mean: 0.01, stddev: 0.007, p50: 0, p90: 0, p99: 0.4 });
  expect(await lags()).toEqual({ min: 0, max: 0, mean: 0, stddev: 0, p50: 0, p90: 0, p99: 0 });
});

it('Every metric of the event loop is there once', async () => {
  const registry = new Registry();
  addProcess(registry);
  const types = (await registry.metrics()).matchAll(/^# TYPE (nodejs_eventloop_lag\w*) gauge$/gm);
  const names = ['', '_min', '_max', '_mean', '_stddev', '_p50', '_p90', '_p99'];
  expect([...types].map(([, name]) => name).toSorted()).toEqual(
    names.map((name) => `nodejs_eventloop_lag${name}_seconds`).toSorted(),
  );
});
