/** Wrong uses of the program, with what is said: the table of docs/wrong-uses.md, and a test of it. */

export interface WrongUse {
  readonly title: string;
  /** Words that start with `@` are files of the bench. */
  readonly line: string;
  readonly code: number;
  /** The whole of stderr but its last newline, the bench's folder left out. */
  readonly says: string;
}

/** A device that no machine of this kind has. */
const DEVICE = process.platform === 'win32' ? 'coreml' : 'dml';

export const WRONG_USES: readonly WrongUse[] = [
  {
    title: 'A command mistyped',
    line: 'restor @a.png',
    code: 2,
    says: "error: Unknown command 'restor'. Did you mean restore? See 'rgi --help'.",
  },
  {
    title: 'An option mistyped',
    line: 'restore @a.png --generator @g.onnx --out @o --treshold 5',
    code: 2,
    says: "error: Unknown option '--treshold'. Did you mean --threshold? See 'rgi restore --help'.",
  },
  {
    title: 'A value of a list mistyped',
    line: 'restore @a.png --generator @g.onnx --out @o --preset papr',
    code: 2,
    says: "error: Option '--preset <name>' argument 'papr' is invalid. Did you mean 'paper'? It is one of fast, paper, paper-l1, paper-detect. See 'rgi restore --help'.",
  },
  {
    title: 'No generator named',
    line: 'restore @a.png --out @o',
    code: 2,
    says: "error: Required option '-g, --generator <file>' not specified. See 'rgi restore --help'.",
  },
  {
    title: 'No picture named',
    line: 'restore --generator @g.onnx --out @o',
    code: 2,
    says: "error: Missing required argument 'images'. See 'rgi restore --help'.",
  },
  {
    title: 'The picture does not exist',
    line: 'restore @missing.png --generator @g.onnx --out @o',
    code: 2,
    says: 'error: missing.png does not exist.',
  },
  {
    title: 'A pattern that matches nothing',
    line: 'restore @*.webp --generator @g.onnx --out @o',
    code: 2,
    says: 'error: No picture matches *.webp.',
  },
  {
    title: 'A folder without pictures',
    line: 'restore @empty --generator @g.onnx --out @o',
    code: 2,
    says: 'error: The folder empty holds no pictures (subfolders are not searched).',
  },
  {
    title: 'The generator does not exist',
    line: 'restore @a.png --generator @missing.onnx --out @o',
    code: 2,
    says: 'error: missing.onnx: The file does not exist.',
  },
  {
    title: 'A folder as the generator',
    line: 'restore @a.png --generator @empty --out @o',
    code: 2,
    says: 'error: empty: The file is a folder, not a file.',
  },
  {
    title: 'A picture as the generator',
    line: 'restore @a.png --generator @a.png --out @o',
    code: 2,
    says: 'error: a.png: This is a PNG picture, not an ONNX model.',
  },
  {
    title: 'A text file as the model',
    line: 'inspect @text.onnx',
    code: 2,
    says: 'error: text.onnx: This is not an ONNX model, or it is cut short (cant skip wire type 4).',
  },
  { title: 'An empty model', line: 'inspect @empty.onnx', code: 2, says: 'error: empty.onnx: The file is empty.' },
  {
    title: 'A model cut short',
    line: 'inspect @cut.onnx',
    code: 2,
    says: 'error: cut.onnx: This is not an ONNX model, or it is cut short (premature EOF).',
  },
  {
    title: 'An opset too old',
    line: 'inspect @opset8.onnx',
    code: 2,
    says: 'error: opset8.onnx: The model uses opset 8; opsets 9 to 22 are read. Export it again with opset_version=17.',
  },
  {
    title: 'An opset too new',
    line: 'inspect @opset99.onnx',
    code: 2,
    says: 'error: opset99.onnx: The model uses opset 99; opsets 9 to 22 are read. Export it again with opset_version=17.',
  },
  {
    title: 'A model that makes no pictures',
    line: 'restore @a.png --generator @flat.onnx --out @o',
    code: 2,
    says: 'error: flat.onnx: None of its outputs is a batch of pictures ([N, C, H, W] or [N, H, W, C], 1 to 4 channels): no generator.',
  },
  {
    title: 'A class label without a value',
    line: 'restore @a.png --generator @conditional.onnx --out @o',
    code: 2,
    says: "error: conditional.onnx: its input 'label' is int64 and no latent; give its value with --input label=VALUE or label=FILE.npy.",
  },
  {
    title: 'A value for an input that is not there',
    line: 'restore @a.png --generator @conditional.onnx --out @o --input lable=1',
    code: 2,
    says: "error: --input lable=1: the model has no input 'lable'; it has 'z', 'label'.",
  },
  {
    title: 'A value that is no number',
    line: 'restore @a.png --generator @conditional.onnx --out @o --input label=cat',
    code: 2,
    says: "error: --input label=cat: the input 'label' is int64 [N]; give one number, or a .npy file.",
  },
  {
    title: 'An array of a wrong shape for an input',
    line: 'restore @a.png --generator @conditional.onnx --out @o --input label=@wide.npy',
    code: 2,
    says: "error: wide.npy is [1, 2]; the input 'label' is [N].",
  },
  {
    title: 'An operator without derivative',
    line: 'restore @a.png --generator @det.onnx --out @o',
    code: 2,
    says: "error: det.onnx: Det 'determinant': the operator Det has no derivative rule, and the gradient must pass through it. Export the model with standard operators (PyTorch: torch.onnx.export, opset_version=17, model.eval()), or cut the graph after it with --latent.",
  },
  {
    title: 'A latent that is not there',
    line: 'restore @a.png --generator @g.onnx --out @o --latent w',
    code: 2,
    says: "error: The generator has no value named 'w'. 'rgi inspect' lists the names.",
  },
  {
    title: 'An output that is not there',
    line: 'restore @a.png --generator @g.onnx --out @o --output-name picture',
    code: 2,
    says: "error: g.onnx has no output 'picture'; it has 'image'.",
  },
  {
    title: 'A weight that is not there',
    line: 'restore @a.png --generator @g.onnx --out @o --method rrgi --weights layer.gain',
    code: 2,
    says: "error: The generator has no weight 'layer.gain'. 'rgi inspect' lists the weights.",
  },
  {
    title: 'A picture of another size',
    line: 'restore @big.png --generator @g.onnx --out @o',
    code: 2,
    says: 'error: big.png is 16 x 16 pixels (width x height), 8 x 8 are needed; choose --fit contain, cover or stretch.',
  },
  {
    title: 'A colour picture for a grey generator',
    line: 'restore @a.png --generator @grey.onnx --out @o',
    code: 2,
    says: 'error: a.png is a colour picture, grey is needed; convert it with --grey luma.',
  },
  {
    title: 'A picture cut short',
    line: 'restore @cut.png --generator @g.onnx --out @o',
    code: 2,
    says: 'error: cut.png is damaged or cut short: it cannot be decoded (vipspng: libpng read error).',
  },
  {
    title: 'A text file as the picture',
    line: 'restore @text.png --generator @g.onnx --out @o',
    code: 2,
    says: 'error: text.png is not a picture (PNG, JPEG, WebP, TIFF, BMP or .npy), or its beginning is damaged.',
  },
  {
    title: 'An empty picture',
    line: 'restore @void.png --generator @g.onnx --out @o',
    code: 2,
    says: 'error: void.png is empty.',
  },
  {
    title: 'A picture of 30000 x 30000 pixels',
    line: 'restore @huge.png --generator @g.onnx --out @o',
    code: 2,
    says: 'error: huge.png has 30000 x 30000 pixels; more than 100 million are refused. Make it smaller first.',
  },
  {
    title: 'An array with NaN',
    line: 'restore @nan.npy --generator @g.onnx --out @o',
    code: 2,
    says: 'error: nan.npy holds NaN at position 0; every value must be a finite number.',
  },
  {
    title: 'An array with channels last',
    line: 'restore @last.npy --generator @g.onnx --out @o',
    code: 2,
    says: 'error: last.npy is [8, 8, 3] with channels last; move them to the front (numpy: x.transpose(2, 0, 1)).',
  },
  {
    title: 'An array of bytes',
    line: 'restore @bytes.npy --generator @g.onnx --out @o',
    code: 2,
    says: 'error: bytes.npy holds uint8 values; save floats in [-1,1] (x / 127.5 - 1).',
  },
  {
    title: 'An array in 0 to 255',
    line: 'restore @range.npy --generator @g.onnx --out @o',
    code: 2,
    says: 'error: range.npy holds the value 200; pictures are in [-1,1] (x / 127.5 - 1 for 0 to 255).',
  },
  {
    title: 'A mask of another size',
    line: 'restore @a.png --generator @g.onnx --out @o --method dgp --mask @mask16.png --steps 5',
    code: 2,
    says: 'error: The mask mask16.png is 16 x 16 pixels, its picture a.png 8 x 8; give a mask of the same size.',
  },
  {
    title: 'A mask that does not exist',
    line: 'restore @a.png --generator @g.onnx --out @o --mask @nomask.png',
    code: 2,
    says: 'error: The mask nomask.png does not exist.',
  },
  {
    title: 'No mask for a method that needs one',
    line: 'restore @a.png --generator @g.onnx --out @o --method dgp',
    code: 2,
    says: "error: The method 'dgp' needs to know what is corrupted: give the masks with --mask, or take --method rgi.",
  },
  {
    title: 'A folder with masks for some of the pictures',
    line: 'restore @pictures --generator @g.onnx --out @o --mask @masks',
    code: 2,
    says: 'error: The folder masks has no mask for pictures/b.npy (nor for 1 more): it would be named b.png, b.mask.png or b_mask.png.',
  },
  {
    title: 'A mask for a method that has no use for one',
    line: 'restore @a.png --generator @g.onnx --out @o --method anogan --mask @mask.png',
    code: 2,
    says: "error: The method 'anogan' has no use for --mask.",
  },
  {
    title: 'A prior without a discriminator',
    line: 'restore @a.png --generator @g.onnx --out @o --critic-prior 1',
    code: 2,
    says: 'error: --critic-prior needs a discriminator: give it with --discriminator.',
  },
  {
    title: 'A discriminator without use',
    line: 'restore @a.png --generator @g.onnx --out @o --discriminator @d.onnx',
    code: 2,
    says: "error: The method 'rgi' has no use for a discriminator; add --critic-prior WEIGHT or --feature-weight WEIGHT, or leave --discriminator out.",
  },
  {
    title: 'A feature network without use',
    line: 'restore @a.png --generator @g.onnx --out @o --features @d.onnx',
    code: 2,
    says: "error: The method 'rgi' compares no features; add --feature-weight WEIGHT, or leave --features out.",
  },
  {
    title: 'Features without a network',
    line: 'restore @a.png --generator @g.onnx --out @o --feature-weight 1',
    code: 2,
    says: 'error: A feature loss needs a second network: give --features (or --discriminator) an ONNX file.',
  },
  {
    title: 'Features without their weight',
    line: 'restore @a.png --generator @g.onnx --out @o --discriminator @d.onnx --feature-layers LeakyRelu',
    code: 2,
    says: 'error: --feature-layers needs --feature-weight, the weight of that comparison.',
  },
  {
    title: 'A tuned generator of a method that tunes none',
    line: 'restore @a.png --generator @g.onnx --out @o --save-generator',
    code: 2,
    says: "error: The method 'rgi' tunes no weights: leave --save-generator out, or take --method rrgi.",
  },
  {
    title: 'A discriminator of another size',
    line: 'restore @a.png --generator @g.onnx --out @o --discriminator @d16.onnx --critic-prior 1',
    code: 2,
    says: "error: d16.onnx must take one batch of pictures [N, 3, 8, 8]; its inputs: 'image' float32 [N, 3, 16, 16].",
  },
  {
    title: 'A layer that is not there',
    line: 'restore @a.png --generator @g.onnx --out @o --method anogan --discriminator @d.onnx --feature-layers conv9',
    code: 2,
    says: "error: d.onnx has no value 'conv9'; its activations are LeakyRelu.",
  },
  {
    title: 'An option the method has no use for',
    line: 'restore @a.png --generator @g.onnx --out @o --method yeh --lambda 1',
    code: 2,
    says: "error: The method 'yeh' has no use for --lambda; it takes --steps, --seed, --preset, --recipe, --importance.",
  },
  {
    title: 'lambda and the threshold together',
    line: 'restore @a.png --generator @g.onnx --out @o --lambda 1 --threshold 10',
    code: 2,
    says: 'error: Give --lambda or --threshold, not both: they say the same in different units.',
  },
  {
    title: 'A free mask with the preset fast',
    line: 'restore @a.png --generator @g.onnx --out @o --mask-form free',
    code: 2,
    says: "error: The preset 'fast' works with the exact mask; a free mask goes with --preset paper.",
  },
  {
    title: 'A negative number of steps',
    line: 'restore @a.png --generator @g.onnx --out @o --steps -5',
    code: 2,
    says: "error: Option '--steps <count>' argument '-5' is invalid. It is a whole number from 1 on. See 'rgi restore --help'.",
  },
  {
    title: 'A word as a number',
    line: 'restore @a.png --generator @g.onnx --out @o --seed one',
    code: 2,
    says: "error: Option '--seed <number>' argument 'one' is invalid. It is a whole number from 0 to 4294967295. See 'rgi restore --help'.",
  },
  {
    title: 'A device that cannot be had here',
    line: `restore @a.png --generator @g.onnx --out @o --device ${DEVICE}`,
    code: 2,
    says: `error: The device '${DEVICE}' cannot be had: onnxruntime-node for ${process.platform}-${process.arch} is built without it (it needs ${process.platform === 'win32' ? 'macOS' : 'Windows'}). Available here: cpu.`,
  },
  {
    title: 'The results into a file',
    line: 'restore @a.png --generator @g.onnx --out @notes.txt',
    code: 2,
    says: 'error: --out notes.txt is a file; name a folder.',
  },
  {
    title: 'The results below a file',
    line: 'restore @a.png --generator @g.onnx --out @notes.txt/o',
    code: 2,
    says: 'error: --out notes.txt/o cannot be made: notes.txt is a file.',
  },
  {
    title: 'Resuming over something else',
    line: 'restore @a.png --generator @g.onnx --out @foreign --resume',
    code: 2,
    says: 'error: foreign/manifest.json is no manifest of a restore run; take another --out, or leave out --resume.',
  },
  {
    title: 'A pair without a key',
    line: 'gradcheck @g.onnx --reference @reference.npz --wrt layer.weight',
    code: 2,
    says: 'error: --wrt layer.weight: write TENSOR=KEY, KEY being an array of reference.npz.',
  },
  {
    title: 'A reference without gradients',
    line: 'gradcheck @g.onnx --reference @reference.npz',
    code: 2,
    says: "error: The reference holds no array for a gradient ('grad_z' or 'grad_image'); it holds z.",
  },
  {
    title: 'A reference that is no archive',
    line: 'gradcheck @g.onnx --reference @notes.txt',
    code: 2,
    says: 'error: notes.txt cannot be used: This is not an .npz archive, or it is cut short (invalid zip data).',
  },
  {
    title: 'An error with --json',
    line: 'restore @missing.png --generator @g.onnx --out @o --json',
    code: 2,
    says: 'error: missing.png does not exist.',
  },
];
