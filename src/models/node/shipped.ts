/** The models of this package by their content (SHA-256), written by scripts/ship-model.ts: they need no trial. */
export const SHIPPED_MODELS: ReadonlySet<string> = new Set([
  '89fa50739cbb00577723a541cf959c4f6ddeb4abdabff42654d333bd149663cf', // bsd-pitting/encoder.onnx
  'f8837fbb168db8e29c31af41f928f21cbe3b095d90247af3a1ccc2d19396bdce', // bsd-pitting/generator.onnx
  'aa624aa04d571f4b01c7efc2fdfdba0858c2476371a4c64af365a90aa0b9c432', // cartoon-faces/encoder.onnx
  '644b88bd75802137b7840664bb981a4afb126d400c92a38bbac8a98e4905dd0d', // cartoon-faces/generator.onnx
  '25db5aec6460853a92cc37719e5d52a49be2653c4b390a205a8698f5c30754ec', // fashion-trousers/discriminator.onnx
  '2da050d0796951bd7847459f64f7037bbfd2d424c52391938d02893dfa22e7e7', // fashion-trousers/encoder.onnx
  '54bb740fc7576cca773f271c16056ab7182a189aa680ad86a2e1034bf23e17c6', // fashion-trousers/generator.onnx
  '9e0359c9d2ede6de67b28315f0e644a86f4230a074073074a36c800bf6785c54', // features/mobilenet_v2_block10.onnx
]);
