import AnnealCore
import AnnealGraph

// Layers with parameters, and normalisation.

extension Convolution: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let result = try site.node(
            "Conv", site.names,
            [
                "kernel_shape": .ints(window.kernel), "strides": .ints(window.stride),
                "pads": .ints(window.pad + window.pad), "dilations": .ints(window.dilate), "group": .int(numGroup),
            ])
        return [result]
    }
}

extension Deconvolution: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let (pad, adj) = try padding(site.inputs[0].shape.shape)
        let result = try site.node(
            "ConvTranspose", site.names,
            [
                "kernel_shape": .ints(window.kernel), "strides": .ints(window.stride), "pads": .ints(pad + pad),
                "dilations": .ints(window.dilate), "output_padding": .ints(adj), "group": .int(numGroup),
            ])
        return [result]
    }
}

extension FullyConnected: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0], weight = site.inputs[1]
        guard flatten || data.shape.rank == 2 else {
            // The last axis only: a matrix product over the others, for any number of them.
            let product = try site.node("MatMul", [data.name, site.transpose(weight.name, [1, 0])])
            return [noBias ? product : try site.node("Add", [product, site.inputs[2].name])]
        }
        var rows = data.name
        if data.shape.rank != 2 { rows = try site.node("Flatten", [rows], ["axis": .int(1)]) }
        return [try site.node("Gemm", [rows] + site.names.dropFirst(), ["transB": .int(1)])]
    }
}

extension BatchNorm: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0]
        var names = site.names
        // MXNet counts gamma as 1, regardless of the stored values.
        if fixGamma { names[1] = site.constant(Tensor(site.inputs[1].shape.shape, repeating: 1), "ones") }
        let axis = axis < 0 ? axis + data.shape.rank : axis
        if axis == 1 {
            return [try site.node("BatchNormalization", names, ["epsilon": .float(eps)])]
        }
        // ONNX normalises the second axis only: the axes are swapped.
        var order = Array(data.shape.shape.dims.indices)
        order.swapAt(axis, min(1, order.count - 1))
        guard order.count > 1 else { throw site.refusal("ONNX has no batch norm of one axis") }
        names[0] = try site.transpose(names[0], order)
        let normalized = try site.node("BatchNormalization", names, ["epsilon": .float(eps)])
        return [try site.transpose(normalized, order)]
    }
}

extension InstanceNorm: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.node("InstanceNormalization", site.names, ["epsilon": .float(eps)])]
    }
}

extension GroupNorm: ONNXOperator {
    /// ONNX has it from version 18 on, with a gamma per channel only later: each group becomes a channel.
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0]
        let rows = try site.reshape(data.name, to: [0, groups, -1])
        let normalized = try site.node(
            "InstanceNormalization", [rows] + site.names.dropFirst(), ["epsilon": .float(eps)])
        return [try site.reshape(normalized, to: data.shape)]
    }
}

extension LayerNorm: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let last = site.inputs[0].shape.rank - 1, axis = axis < 0 ? axis + last + 1 : axis
        var names = site.names
        var order = Array(0...last)
        order.swapAt(axis, last)
        if axis != last { names[0] = try site.transpose(names[0], order) }
        let normalized = try site.node("LayerNormalization", names, ["axis": .int(-1), "epsilon": .float(eps)])
        return [axis == last ? normalized : try site.transpose(normalized, order)]
    }
}

extension L2Normalization: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0]
        let summed =
            switch mode {
            case .instance: Array(1..<data.shape.rank)
            case .channel: [1]
            case .spatial: Array(2..<data.shape.rank)
            }
        let sum = try site.node("ReduceSumSquare", [data.name], ["axes": .ints(summed), "keepdims": .int(1)])
        let root = try site.node("Sqrt", [site.node("Add", [sum, site.scalar(eps)])])
        return [try site.node("Div", [data.name, root])]
    }
}

extension LRN: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let result = try site.node(
            "LRN", site.names,
            ["alpha": .float(alpha), "beta": .float(beta), "bias": .float(knorm), "size": .int(nsize)])
        return [result]
    }
}

extension Dropout: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        guard mode == .training || p == 0 else {
            throw site.refusal(
                "it drops values in inference too (mode 'always')", suggestion: "ONNX models are not random")
        }
        return [site.names[0]]
    }
}

extension Embedding: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let rows = try site.indices(site.names[0], extent: inputDim, mode: .clip)
        return [try site.node("Gather", [site.names[1], rows], ["axis": .int(0)])]
    }
}
