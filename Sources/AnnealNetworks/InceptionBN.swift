import AnnealCore
import AnnealGraph

/// Ioffe and Szegedy 2015, Batch normalization: accelerating deep network training by reducing internal covariate shift
/// (arXiv:1502.03167); MXNet's `inception-bn`.
///
/// - Parameter imageShape: channels, height, width; up to a height of 28 a simpler network for small images is built.
public func inceptionBN(numClasses: Int, imageShape: [Int]) throws -> Symbol {
    try checkImageShape(imageShape)
    let net = SymbolBuilder()
    var body = try imageShape[1] <= 28 ? net.smallInceptionBN() : net.largeInceptionBN()
    body = try net.fullyConnected(net.flatten(body), numHidden: numClasses)
    return try net.softmaxOutput(body, name: "softmax")
}

/// A module of the small network: two convolutions side by side, or one that halves the image next to a pool.
private enum SmallModule {
    case simple(one: Int, three: Int)
    case halving(three: Int)
}

private let smallModules: [(String, SmallModule)] = [
    ("in3a", .simple(one: 32, three: 32)), ("in3b", .simple(one: 32, three: 48)), ("in3c", .halving(three: 80)),
    ("in4a", .simple(one: 112, three: 48)), ("in4b", .simple(one: 96, three: 64)),
    ("in4c", .simple(one: 80, three: 80)), ("in4d", .simple(one: 48, three: 96)), ("in4e", .halving(three: 96)),
    ("in5a", .simple(one: 176, three: 160)), ("in5b", .simple(one: 176, three: 160)),
]

/// A module of the large network: a 3x3 and two 3x3 in a row, each after a reduction; next to them a 1x1 and a pool with
///  a projection, or, where the image is halved, the bare pool.
private enum LargeModule {
    case full(one: Int, reduce: Int, three: Int, doubleReduce: Int, double: Int, pool: Pooling.Kind, project: Int)
    case halving(reduce: Int, three: Int, doubleReduce: Int, double: Int)
}

private let largeModules: [(String, LargeModule)] = [
    ("3a", .full(one: 64, reduce: 64, three: 64, doubleReduce: 64, double: 96, pool: .avg, project: 32)),
    ("3b", .full(one: 64, reduce: 64, three: 96, doubleReduce: 64, double: 96, pool: .avg, project: 64)),
    ("3c", .halving(reduce: 128, three: 160, doubleReduce: 64, double: 96)),
    ("4a", .full(one: 224, reduce: 64, three: 96, doubleReduce: 96, double: 128, pool: .avg, project: 128)),
    ("4b", .full(one: 192, reduce: 96, three: 128, doubleReduce: 96, double: 128, pool: .avg, project: 128)),
    ("4c", .full(one: 160, reduce: 128, three: 160, doubleReduce: 128, double: 160, pool: .avg, project: 128)),
    ("4d", .full(one: 96, reduce: 128, three: 192, doubleReduce: 160, double: 192, pool: .avg, project: 128)),
    ("4e", .halving(reduce: 128, three: 192, doubleReduce: 192, double: 256)),
    ("5a", .full(one: 352, reduce: 192, three: 320, doubleReduce: 160, double: 224, pool: .avg, project: 128)),
    ("5b", .full(one: 352, reduce: 192, three: 320, doubleReduce: 192, double: 224, pool: .max, project: 128)),
]

extension SymbolBuilder {
    fileprivate func unit(
        _ data: Symbol, _ filters: Int, _ kernel: Int, stride: Int = 1, name: String
    ) throws -> Symbol {
        let pad = kernel / 2
        let convolved = try convolution(
            data, numFilter: filters, kernel: [kernel, kernel], stride: [stride, stride], pad: [pad, pad],
            name: "conv_\(name)")
        // The script computes 1e-10 + 1e-5, and its last digit is in the file.
        let normed = try batchNorm(convolved, fixGamma: false, eps: 1e-10 + 1e-5, momentum: 0.9, name: "bn_\(name)")
        return try activation(normed, .relu, name: "relu_\(name)")
    }

    fileprivate func smallInceptionBN() throws -> Symbol {
        var body = try unit(.variable("data"), 96, 3, name: "1")
        for (name, module) in smallModules {
            switch module {
            case .simple(let one, let three):
                let left = try unit(body, one, 1, name: "\(name)_1x1")
                body = try concat([left, unit(body, three, 3, name: "\(name)_3x3")], name: "\(name)_ch_concat")
            case .halving(let three):
                let left = try unit(body, three, 3, stride: 2, name: "\(name)_conv")
                let pooled = try pooling(
                    body, kind: .max, kernel: [3, 3], stride: [2, 2], pad: [1, 1], name: "\(name)_pool")
                body = try concat([left, pooled], name: "\(name)_ch_concat")
            }
        }
        return try pooling(body, kind: .avg, kernel: [7, 7], name: "global_pool")
    }

    fileprivate func largeInceptionBN() throws -> Symbol {
        var body = try unit(.variable("data"), 64, 7, stride: 2, name: "1")
        body = try pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2], name: "pool_1")
        body = try unit(unit(body, 64, 1, name: "2_red"), 192, 3, name: "2")
        body = try pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2], name: "pool_2")
        for (name, module) in largeModules {
            var towers: [Symbol] = []
            func tower(_ widths: (reduce: Int, three: Int, doubleReduce: Int, double: Int), stride: Int) throws {
                let three = try unit(body, widths.reduce, 1, name: "\(name)_3x3_reduce")
                try towers.append(unit(three, widths.three, 3, stride: stride, name: "\(name)_3x3"))
                var double = try unit(body, widths.doubleReduce, 1, name: "\(name)_double_3x3_reduce")
                double = try unit(double, widths.double, 3, name: "\(name)_double_3x3_0")
                try towers.append(unit(double, widths.double, 3, stride: stride, name: "\(name)_double_3x3_1"))
            }
            func pool(_ kind: Pooling.Kind, stride: Int) throws -> Symbol {
                try pooling(
                    body, kind: kind, kernel: [3, 3], stride: [stride, stride], pad: [1, 1],
                    name: "\(kind.rawValue)_pool_\(name)_pool")
            }
            switch module {
            case .full(let one, let reduce, let three, let doubleReduce, let double, let kind, let project):
                try towers.append(unit(body, one, 1, name: "\(name)_1x1"))
                try tower((reduce, three, doubleReduce, double), stride: 1)
                try towers.append(unit(pool(kind, stride: 1), project, 1, name: "\(name)_proj"))
            case .halving(let reduce, let three, let doubleReduce, let double):
                try tower((reduce, three, doubleReduce, double), stride: 2)
                try towers.append(pool(.max, stride: 2))
            }
            body = try concat(towers, name: "ch_concat_\(name)_chconcat")
        }
        return try pooling(body, kind: .avg, kernel: [7, 7], stride: [1, 1], name: "global_pool")
    }
}
