/** The models of this package by their content (SHA-256), written by scripts/ship-model.ts: they need no trial. */
export const SHIPPED_MODELS: ReadonlySet<string> = new Set([
  '89fa50739cbb00577723a541cf959c4f6ddeb4abdabff42654d333bd149663cf', // bsd-pitting/encoder.onnx
  'f8837fbb168db8e29c31af41f928f21cbe3b095d90247af3a1ccc2d19396bdce', // bsd-pitting/generator.onnx
  '95e7523ab697ed200a79b20eee33dfd36b864fc736d04fe13ce03b2b4bcbd9cf', // cartoon-faces/discriminator.onnx
  '4bf1c4ec6979fca99dd73db71458232f705bc02723a083c8975fba896d930d12', // cartoon-faces/encoder.onnx
  '9611b51c1746dc26da055fdd1722752459c05fb2e154f97c70a005d91c46cf59', // cartoon-faces/generator.onnx
  '25db5aec6460853a92cc37719e5d52a49be2653c4b390a205a8698f5c30754ec', // fashion-trousers/discriminator.onnx
  '2da050d0796951bd7847459f64f7037bbfd2d424c52391938d02893dfa22e7e7', // fashion-trousers/encoder.onnx
  '54bb740fc7576cca773f271c16056ab7182a189aa680ad86a2e1034bf23e17c6', // fashion-trousers/generator.onnx
  '9e0359c9d2ede6de67b28315f0e644a86f4230a074073074a36c800bf6785c54', // features/mobilenet_v2_block10.onnx
]);
