import AnnealCore
import AnnealGraph

/// The precision in which a network computes: with float16 it casts its input down and its last layer up.
public enum NetworkDType: String, CaseIterable, Sendable { case float32, float16 }

/// The arguments of MXNet's `get_symbol` functions; a network reads those that concern it.
public struct NetworkOptions: Sendable, Equatable {
    public var numClasses: Int
    /// Channels, height, width.
    public var imageShape: [Int]
    public var numLayers: Int?
    public var numGroup: Int
    /// Batch norm in VGG.
    public var batchNorm: Bool
    /// The width of MobileNet, relative to the paper's.
    public var multiplier: Double
    /// The image size that MobileNet's last pool is made for; if nil, 224 as in MXNet, less for smaller images.
    public var resolution: Int?
    public var dtype: NetworkDType
    /// A spatial transformer before LeNet.
    public var addSTN = false
    /// Written into the residual networks' convolutions, without effect.
    public var convWorkspace = 256

    public init(
        numClasses: Int, imageShape: [Int] = [3, 224, 224], numLayers: Int? = nil, numGroup: Int = 32,
        batchNorm: Bool = false, multiplier: Double = 1, resolution: Int? = nil, dtype: NetworkDType = .float32
    ) {
        self.numClasses = numClasses
        self.imageShape = imageShape
        self.numLayers = numLayers
        self.numGroup = numGroup
        self.batchNorm = batchNorm
        self.multiplier = multiplier
        self.resolution = resolution
        self.dtype = dtype
    }

    /// `numLayers`, for networks that have no default.
    func layers(of network: String, _ allowed: String) throws -> Int {
        guard let numLayers else {
            throw AnnealError("--num-layers", "is missing", suggestion: "\(network) has \(allowed) layers")
        }
        return numLayers
    }

    func check() throws {
        try checkClassCount(numClasses)
        try checkImageShape(imageShape)
    }
}

/// Refuses an image shape that is not channels, height and width.
func checkImageShape(_ shape: [Int]) throws {
    guard shape.count == 3, shape.allSatisfy({ $0 > 0 }) else {
        throw AnnealError(
            "--image-shape \(shape.map(String.init).joined(separator: ","))", "is not an image's shape",
            suggestion: "it must be channels,height,width, such as 3,224,224")
    }
}
