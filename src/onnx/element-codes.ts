/** ONNX's numbers of the element types (`TensorProto.DataType`). */
import type { ElementType } from './tensor.ts';

const CODES: Record<ElementType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

/** The number ONNX gives an element type (`TensorProto.DataType`). */
export function elementCode(type: ElementType): number {
  return CODES[type];
}

/** The element type of an ONNX number, undefined where we do not carry it (strings, bfloat16, float8, ...). */
export function elementType(code: number): ElementType | undefined {
  return (Object.keys(CODES) as ElementType[]).find((type) => CODES[type] === code);
}
