/// Every operator of Anneal: a new one is added here, in a file next to this one, and with its kernels in each engine.
let operatorTypes: [any SymbolOperator.Type] = [
    Activation.self, AddN.self, BatchDot.self, BatchNorm.self, BilinearSampler.self, BlockGrad.self, BroadcastAxis.self,
    BroadcastLike.self, BroadcastTo.self, Cast.self, Clip.self, Concat.self, Convolution.self, Copy.self, Crop.self,
    Deconvolution.self, Dot.self, Dropout.self, ElementwiseAdd.self, Embedding.self, ExpandDims.self, Flatten.self,
    FullyConnected.self, GridGenerator.self, GroupNorm.self, HardSigmoid.self, InstanceNorm.self, L2Normalization.self,
    LRN.self,
    LayerNorm.self, LeakyReLU.self, MakeLoss.self, Norm.self, OneHot.self, Pad.self, Pick.self, Pooling.self,
    Repeat.self, Reshape.self, ReshapeLike.self, Reverse.self, SVMOutput.self, SimpleMakeLoss.self, Slice.self,
    SliceAxis.self, SliceChannel.self, SliceLike.self, SoftmaxActivation.self, SoftmaxCrossEntropy.self,
    SoftmaxOutput.self, SpatialTransformer.self, Squeeze.self, Stack.self, SwapAxis.self, Take.self, Tile.self,
    Transpose.self, UpSampling.self, Where.self,
]

/// Operator types that stand for several names.
let operatorFamilies: [any OperatorFamily.Type] = [
    ArgExtremum.self, BroadcastArithmetic.self, DepthSpace.self, ElementwiseArithmetic.self, Ordering.self,
    Reduction.self, RegressionOutput.self, ScalarArithmetic.self, Softmax.self, Unary.self,
]
