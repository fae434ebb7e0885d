import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { configureEnvoy } from '../../../deploy/envoy/configure.ts';
import type { Collector } from '../../real/collector.ts';
import { type Envoy, shippedConfiguration, startEnvoy } from '../../real/envoy.ts';
import type { Stack } from '../stack.ts';

const MANAGER = ['static_resources', 'listeners', 0, 'filter_chains', 0, 'filters', 0, 'typed_config'];

/** An Envoy on the shipped configuration that traces every request, and sends its spans to the collector at once. */
export async function startTracingEnvoy(
  { postern, echo }: Pick<Stack, 'postern' | 'echo'>,
  collector: Collector,
): Promise<Envoy> {
  const document = parseDocument(
    configureEnvoy(await readFile(shippedConfiguration, 'utf8'), {
      ...{ listenPort: 0, adminPort: 0, checkTimeoutMs: 15_000 },
      ...{ checkAddress: postern.check, upstreamAddress: echo.address },
    }),
  );
  document.setIn([...MANAGER, 'tracing'], document.createNode({ provider: providerOf(collector) }));
  document.addIn(['static_resources', 'clusters'], document.createNode(clusterOf(collector)));
  document.set(
    'layered_runtime',
    document.createNode({
      layers: [
        {
          name: 'static',
          static_layer: {
            tracing: { opentelemetry: { min_flush_spans: 1, flush_interval_ms: 100 } },
          },
        },
      ],
    }),
  );
  return startEnvoy({ configYaml: document.toString() });
}

function providerOf({ url }: Collector) {
  const uri = { uri: `${url}/v1/traces`, cluster: 'collector', timeout: '1s' };
  return {
    name: 'envoy.tracers.opentelemetry',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
      ...{ service_name: 'envoy', http_service: { http_uri: uri } },
    },
  };
}

function clusterOf({ address: { host, port } }: Collector) {
  const socket = { address: { socket_address: { address: host, port_value: port } } };
  return {
    ...{ name: 'collector', type: 'STATIC', connect_timeout: '1s' },
    load_assignment: {
      cluster_name: 'collector',
      endpoints: [{ lb_endpoints: [{ endpoint: socket }] }],
    },
  };
}
