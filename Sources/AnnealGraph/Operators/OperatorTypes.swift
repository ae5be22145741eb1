/// Every operator that Anneal has: a new one is added here, in a file beside this one, and with its kernels in the
/// engine's file of the same name.
let operatorTypes: [any Operator.Type] = [
    Activation.self, AddN.self, BatchNorm.self, Cast.self, Clip.self, Concat.self, Convolution.self, Copy.self,
    Deconvolution.self, Dropout.self, ElementwiseAdd.self, Flatten.self, FullyConnected.self, LRN.self, LeakyReLU.self,
    Pooling.self, SoftmaxOutput.self, SpatialTransformer.self,
]

/// Operators that one type makes under several names.
let operatorFamilies: [any OperatorFamily.Type] = [
    ScalarArithmetic.self
]
