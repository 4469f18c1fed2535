/** For each shipped model: what it shows, the pictures it was trained on, and the terms of use of both. */

export interface Subject {
  readonly title: string;
  readonly about: string;
  /** The source of the pictures, and how they were changed. */
  readonly data: string;
  /** Terms of the model. */
  readonly licence: string;
  /** Source and terms of the pictures in `pictures`, where a model has some. */
  readonly pictures?: string;
  /** A licence notice that must accompany the model. */
  readonly notice?: string;
}

const MIT_ZALANDO = `The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

export const SUBJECTS: Readonly<Record<string, Subject>> = {
  'cartoon-faces': {
    title: 'Drawn faces',
    about:
      'A generator of drawn faces, to restore such drawings: `rgi restore broken.png --generator models/cartoon-faces/generator.onnx --out restored`.',
    data: 'Trained on drawings in the style "Personas" by Draftbit (draftbit.com), [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), rendered to 64 x 64 pixels with random parts by the packages @dicebear/core and @dicebear/collection (MIT).',
    licence:
      'The model is derived from these drawings; use it with the same attribution: "Personas" by Draftbit (draftbit.com), CC BY 4.0, changed: rendered with random parts, and used to train a generator.',
    pictures:
      "The pictures in `pictures` are drawings of the same kind, under the same terms: every 25th of the set's test part. The model was not trained on them.",
  },
  'fashion-trousers': {
    title: 'Trousers',
    about:
      'A generator of small grey product pictures of trousers: `rgi restore broken.png --generator models/fashion-trousers/generator.onnx --out restored`.',
    data: 'Trained on the class "trouser" of [Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) by Zalando Research: the first 2000 training pictures, with two black pixels added on each side.',
    licence: 'The pictures are under the MIT licence, and so is the model. The notice is below.',
    pictures:
      "The pictures in `pictures` are every 25th of the first 200 of the class's test part, under the same terms. The model was not trained on them.",
    notice: MIT_ZALANDO,
  },
  'bsd-pitting': {
    title: 'Ball screw spindles',
    about:
      'A generator of photographs of good ball screw spindles, to inspect such spindles: `rgi detect part.png --generator models/bsd-pitting/generator.onnx --out found`.',
    data: 'Trained on good photographs of the "Industrial Machine Tool Element Surface Defect Dataset" (BSData) by T. Schlagenhauf, M. Landwehr and J. Fleischer ([GitHub 2Obe/BSData](https://github.com/2Obe/BSData), [arXiv 2103.13003](https://arxiv.org/abs/2103.13003)), [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/): a fixed window on the spindle, cropped and resized.',
    licence:
      'The files in this folder are derived from these photographs and are under **CC BY-SA 4.0**, with the attribution above, not under the MIT licence of the rest of this repository. Changes: cropped, resized, and used to train a generator. None of the photographs is in this repository.',
  },
};
