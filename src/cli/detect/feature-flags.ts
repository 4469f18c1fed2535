/** Options about a feature network, shared by the commands that take one. */
import { type Command, Option } from 'commander';
import { coarserLayers, FEATURE_RANGES, type FeatureNetwork, type FeatureRange } from '../../features/network.ts';
import { SHIPPED_FEATURES } from '../../models/node/feature-network.ts';
import { choice, list } from '../arguments.ts';

/** What is said of a network's input and layers, where its file does not. */
export interface FeatureInputFlags {
  readonly featureRange?: FeatureRange;
  readonly featureLayers?: readonly string[];
}

/** What names the network of this package where `--features` takes a file. */
const BUNDLED = 'bundled';

/** The file of a feature network, as `--features` names it. */
export function featureFile(text: string): string {
  return text === BUNDLED ? SHIPPED_FEATURES : text;
}

export function addFeatureInputOptions(command: Command): Command {
  return command
    .addOption(
      choice(
        '--feature-range <range>',
        'values that the feature network takes (default: as its file says)',
        FEATURE_RANGES,
      ),
    )
    .addOption(
      new Option(
        '--feature-layers <names>',
        'layers whose maps are used (default: as its file says, else chosen)',
      ).argParser(list),
    );
}

/** The network as pictures are compared by it: the layers that are named, else the coarser ones. */
export function comparedLayers(network: FeatureNetwork, { featureLayers }: FeatureInputFlags): FeatureNetwork {
  return featureLayers ? network : coarserLayers(network);
}
