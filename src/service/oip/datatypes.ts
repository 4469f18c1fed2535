/** Datatypes of the Open Inference Protocol, and the element types that they are. BYTES has none. */
import type { ElementType } from '../../onnx/tensor.ts';

const NAMES: Readonly<Record<ElementType, string>> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  int8: 'INT8',
  uint8: 'UINT8',
  int16: 'INT16',
  uint16: 'UINT16',
  int32: 'INT32',
  uint32: 'UINT32',
  int64: 'INT64',
  uint64: 'UINT64',
  bool: 'BOOL',
};

const TYPES: ReadonlyMap<string, ElementType> = new Map(
  Object.entries(NAMES).map(([type, name]) => [name, type as ElementType]),
);

export const DATATYPES: readonly string[] = [...TYPES.keys()];

export function datatypeOf(type: ElementType): string {
  return NAMES[type];
}

/** Undefined for a datatype that is not known. */
export function elementTypeOf(datatype: string): ElementType | undefined {
  return TYPES.get(datatype);
}
