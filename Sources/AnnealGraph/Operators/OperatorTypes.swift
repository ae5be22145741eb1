/// Every operator that Anneal has: a new one is added here, in a file beside this one, and with its kernels in the
/// engine's file of the same name. Families, such as the functions of one value, have lists of their own.
let operatorTypes: [any Operator.Type] =
    [
        Activation.self, AddN.self, ArgSort.self, BatchDot.self, BatchNorm.self, BilinearSampler.self, BlockGrad.self,
        BroadcastAxis.self, BroadcastLike.self, BroadcastTo.self, Cast.self, Clip.self, Concat.self, Convolution.self,
        Copy.self, Crop.self, Deconvolution.self, Dot.self, Dropout.self, ElementwiseAdd.self, Embedding.self,
        ExpandDims.self, Flatten.self, FullyConnected.self, GridGenerator.self, HardSigmoid.self, InstanceNorm.self,
        L2Normalization.self, LRN.self, LayerNorm.self, LeakyReLU.self, LogSoftmax.self, MakeLoss.self,
        MakeLossLower.self, OneHot.self, Pad.self, Pick.self, Pooling.self, Repeat.self, Reshape.self,
        ReshapeLike.self, Reverse.self, SVMOutput.self, Slice.self, SliceAxis.self, SliceChannel.self, SliceLike.self,
        Softmax.self, SoftmaxActivation.self, SoftmaxCrossEntropy.self, SoftmaxOutput.self, Sort.self,
        SpatialTransformer.self, Squeeze.self, Stack.self, SwapAxis.self, Take.self, Tile.self, TopK.self,
        Transpose.self, UpSampling.self, Where.self,
    ] + UnaryFunctions.operators + ScalarFunctions.operators + BinaryFunctions.operators + Reductions.operators
    + Regressions.operators
