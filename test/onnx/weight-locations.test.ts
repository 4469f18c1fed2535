/** Which files hold a model's weights, found in the model alone: none of the files has to be there. */
import { expect, it } from 'vitest';
import { weightLocations } from '../../src/onnx/weight-locations.ts';
import { graphAttribute, handmade, infos, node } from '../support/protos.ts';

const external = (name: string, location: string) => ({
  name,
  dims: [4n],
  dataType: 1,
  dataLocation: 1,
  externalData: [
    { key: 'location', value: location },
    { key: 'offset', value: '0' },
  ],
});

it('lists each location once, sorted, of the graph and of the graphs inside its nodes', () => {
  const branch = (location: string) => ({
    name: 'branch',
    node: [node('Identity', location, 'out')],
    output: infos({ out: [] }),
    initializer: [external(location, location)],
  });
  const bytes = handmade({
    initializers: [
      external('a', 'z.bin'),
      external('b', 'z.bin'),
      { name: 'on', dataType: 9, dims: [], int32Data: [1] },
    ],
    nodes: [
      node('If', 'on', 'y', [
        graphAttribute('then_branch', branch('then.bin')),
        graphAttribute('else_branch', branch('else.bin')),
      ]),
    ],
  });
  expect(weightLocations(bytes)).toEqual(['else.bin', 'then.bin', 'z.bin']);
});

it('lists none where a model holds its weights itself', () => {
  expect(weightLocations(handmade({ nodes: [node('Relu', 'x', 'y')] }))).toEqual([]);
});
