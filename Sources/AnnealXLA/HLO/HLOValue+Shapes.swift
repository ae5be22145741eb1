// Operations that move elements, reduce and multiply matrices.

extension HLOValue {
    func reshaped(_ other: [Int]) -> HLOValue {
        other == dims
            ? self : function.emit(other, type, "stablehlo.reshape \(name) : (\(text)) -> \(Self.text(other, type))")
    }

    /// Axis i of the result is axis `order[i]` of this.
    func transposed(_ order: [Int]) -> HLOValue {
        guard order != Array(dims.indices) else { return self }
        let result = order.map { dims[$0] }
        return function.emit(
            result, type, "stablehlo.transpose \(name), dims = \(order) : (\(text)) -> \(Self.text(result, type))")
    }

    /// Broadcasts a scalar, or an array whose axes are the axes `along` of the result and have its extents or 1.
    func broadcast(to other: [Int], along axes: [Int] = []) -> HLOValue {
        if dims == other { return self }
        return function.emit(
            other, type,
            "stablehlo.broadcast_in_dim \(name), dims = \(axes) : (\(text)) -> \(Self.text(other, type))")
    }

    /// Broadcasts a vector of the axis's extent over an array.
    func broadcast(to other: [Int], axis: Int) -> HLOValue { broadcast(to: other, along: [axis]) }

    /// Elements `from` up to, but not including, `to` of each axis, every `steps`-th one.
    func sliced(from: [Int], to: [Int], steps: [Int]? = nil) -> HLOValue {
        let steps = steps ?? dims.map { _ in 1 }
        let result = dims.indices.map { max(0, (to[$0] - from[$0] + steps[$0] - 1) / steps[$0]) }
        if result == dims { return self }
        let ranges = dims.indices.map { "\(from[$0]):\(to[$0]):\(steps[$0])" }.joined(separator: ", ")
        return function.emit(
            result, type, "stablehlo.slice \(name) [\(ranges)] : (\(text)) -> \(Self.text(result, type))")
    }

    /// A range of one axis.
    func sliced(axis: Int, from: Int, to: Int) -> HLOValue {
        var first = dims.map { _ in 0 }, last = dims
        (first[axis], last[axis]) = (from, to)
        return sliced(from: first, to: last)
    }

    /// Pads the array with a number; negative amounts crop it. `interior`: numbers inserted between neighbours.
    func padded(_ value: Double, low: [Int], high: [Int], interior: [Int]? = nil) -> HLOValue {
        let interior = interior ?? dims.map { _ in 0 }
        let result = dims.indices.map { low[$0] + high[$0] + dims[$0] + max(0, dims[$0] - 1) * interior[$0] }
        if result == dims, low.allSatisfy({ $0 == 0 }) { return self }
        let number = function.constant(value, [], type)
        return function.emit(
            result, type,
            "stablehlo.pad \(name), \(number.name), low = \(low), high = \(high), interior = \(interior) : "
                + "(\(text), \(number.text)) -> \(Self.text(result, type))")
    }

    static func concatenated(_ parts: [HLOValue], axis: Int) -> HLOValue {
        guard parts.count > 1 else { return parts[0] }
        var result = parts[0].dims
        result[axis] = parts.reduce(0) { $0 + $1.dims[axis] }
        return parts[0].function.emit(
            result, parts[0].type,
            "stablehlo.concatenate \(parts.map(\.name).joined(separator: ", ")), dim = \(axis) : "
                + "(\(parts.map(\.text).joined(separator: ", "))) -> \(text(result, parts[0].type))")
    }

    func reversed(_ axes: [Int]) -> HLOValue {
        axes.isEmpty ? self : function.emit(dims, type, "stablehlo.reverse \(name), dims = \(axes) : \(text)")
    }

    // MARK: Reductions

    enum Combination: String {
        case sum = "add", product = "multiply", largest = "maximum", smallest = "minimum", all = "and", any = "or"

        /// The neutral element.
        fileprivate func neutral(_ type: HLOType) -> Double {
            switch self {
            case .sum, .any: 0
            case .product, .all: 1
            case .largest: type.isFloat ? -.infinity : 0
            case .smallest: type.isFloat ? .infinity : Double(Int32.max)
            }
        }
    }

    /// Combines all elements along axes; the result lacks these axes.
    func reduced(_ combination: Combination, _ axes: [Int]) -> HLOValue {
        guard !axes.isEmpty else { return self }
        let result = dims.indices.filter { !axes.contains($0) }.map { dims[$0] }
        let start = function.constant(combination.neutral(type), [], type)
        return function.emit(
            result, type,
            "stablehlo.reduce(\(name) init: \(start.name)) applies stablehlo.\(combination.rawValue) across dimensions = "
                + "\(axes) : (\(text), \(start.text)) -> \(Self.text(result, type))")
    }

    func sum(_ axes: [Int]) -> HLOValue { reduced(.sum, axes) }
    /// Combines all elements into a scalar.
    func sum() -> HLOValue { sum(Array(dims.indices)) }

    /// Reduces along one axis and broadcasts the result over it.
    func reducedAndRepeated(_ combination: Combination, axis: Int) -> HLOValue {
        reduced(combination, [axis]).broadcast(to: dims, along: dims.indices.filter { $0 != axis })
    }

    /// A window over every axis: its extents, strides and padding.
    struct Windows {
        var extents: [Int]
        var strides: [Int]
        var low: [Int]
        var high: [Int]

        fileprivate var attributes: String {
            let ones = extents.map { _ in 1 }
            return "window_dimensions = \(list(extents)), window_strides = \(list(strides)), "
                + "base_dilations = \(list(ones)), window_dilations = \(list(ones)), padding = \(padding)"
        }
        fileprivate var padding: String { HLOValue.padding(low, high) }
        fileprivate func list(_ numbers: [Int]) -> String { HLOValue.array(numbers) }

        fileprivate func outputs(_ dims: [Int]) -> [Int] {
            dims.indices.map { (dims[$0] + low[$0] + high[$0] - extents[$0]) / strides[$0] + 1 }
        }
    }

    fileprivate static func array(_ numbers: [Int]) -> String {
        "array<i64: \(numbers.map(String.init).joined(separator: ", "))>"
    }

    fileprivate static func padding(_ low: [Int], _ high: [Int]) -> String {
        guard !low.isEmpty else { return "dense<> : tensor<0x2xi64>" }
        let pairs = zip(low, high).map { "[\($0), \($1)]" }.joined(separator: ", ")
        return "dense<[\(pairs)]> : tensor<\(low.count)x2xi64>"
    }

    /// The array cropped where padding is negative, and the windows without negative padding; nil if there is none.
    private func cropped(_ windows: Windows) -> (HLOValue, Windows)? {
        guard (windows.low + windows.high).contains(where: { $0 < 0 }) else { return nil }
        var rest = windows
        rest.low = windows.low.map { max(0, $0) }
        rest.high = windows.high.map { max(0, $0) }
        return (
            sliced(
                from: windows.low.map { max(0, -$0) }, to: dims.indices.map { dims[$0] + min(0, windows.high[$0]) }),
            rest
        )
    }

    /// Combines the elements of each window; padding has no effect.
    func reducedWindows(_ combination: Combination, _ windows: Windows) -> HLOValue {
        if let (cropped, rest) = cropped(windows) { return cropped.reducedWindows(combination, rest) }
        let result = windows.outputs(dims), start = function.constant(combination.neutral(type), [], type)
        let scalar = start.text
        return function.emit(
            result, type,
            "\"stablehlo.reduce_window\"(\(name), \(start.name)) ({\n^bb0(%a: \(scalar), %b: \(scalar)):\n"
                + "%c = stablehlo.\(combination.rawValue) %a, %b : \(scalar)\nstablehlo.return %c : \(scalar)\n"
                + "}) {\(windows.attributes)} : (\(text), \(scalar)) -> \(Self.text(result, type))")
    }

    /// Zeros with each element of `source` added where its window of this array has its largest element, the first of
    /// equals.
    func scatteredToLargest(_ source: HLOValue, _ windows: Windows) -> HLOValue {
        if let (cropped, rest) = cropped(windows) {
            return cropped.scatteredToLargest(source, rest).padded(
                0, low: windows.low.map { max(0, -$0) }, high: windows.high.map { max(0, -$0) })
        }
        let start = function.constant(0, [], type), scalar = start.text, flag = Self.text([], .i1)
        return function.emit(
            dims, type,
            "\"stablehlo.select_and_scatter\"(\(name), \(source.name), \(start.name)) ({\n"
                + "^bb0(%a: \(scalar), %b: \(scalar)):\n%c = stablehlo.compare GE, %a, %b : (\(scalar), \(scalar)) -> \(flag)\n"
                + "stablehlo.return %c : \(flag)\n}, {\n^bb0(%a: \(scalar), %b: \(scalar)):\n"
                + "%c = stablehlo.add %a, %b : \(scalar)\nstablehlo.return %c : \(scalar)\n"
                + "}) {window_dimensions = \(windows.list(windows.extents)), window_strides = "
                + "\(windows.list(windows.strides)), padding = \(windows.padding)} : "
                + "(\(text), \(source.text), \(scalar)) -> \(text)")
    }

    /// The sum over replicas; each of them receives it.
    func reducedOverReplicas(_ count: Int) -> HLOValue {
        let scalar = Self.text([], type), all = (0..<count).map(String.init).joined(separator: ", ")
        return function.emit(
            dims, type,
            "\"stablehlo.all_reduce\"(\(name)) ({\n^bb0(%a: \(scalar), %b: \(scalar)):\n"
                + "%c = stablehlo.add %a, %b : \(scalar)\nstablehlo.return %c : \(scalar)\n"
                + "}) {replica_groups = dense<[[\(all)]]> : tensor<1x\(count)xi64>} : (\(text)) -> \(text)")
    }

    // MARK: Products

    /// Σ over the `contracting` axes of both, for each index of the `batching` axes of both. The result has the
    /// batching axes, then the remaining axes of this, then those of the other. In full precision, unless the function
    /// uses TF32.
    func dot(
        _ other: HLOValue, contracting: (a: [Int], b: [Int]), batching: (a: [Int], b: [Int]) = ([], [])
    ) -> HLOValue {
        func rest(_ value: HLOValue, _ used: [Int]) -> [Int] {
            value.dims.indices.filter { !used.contains($0) }.map { value.dims[$0] }
        }
        let result =
            batching.a.map { dims[$0] } + rest(self, batching.a + contracting.a)
            + rest(other, batching.b + contracting.b)
        let batches = batching.a.isEmpty ? "" : "batching_dims = \(batching.a) x \(batching.b), "
        return function.emit(
            result, type,
            "stablehlo.dot_general \(name), \(other.name), \(batches)contracting_dims = \(contracting.a) x "
                + "\(contracting.b), precision = [\(precision), \(precision)] : (\(text), \(other.text)) -> "
                + Self.text(result, type))
    }

    private var precision: String { type == .f32 && !function.usesTF32 ? "HIGHEST" : "DEFAULT" }

    /// A convolution's parameters; windows have spatial axes only.
    struct ConvolutionForm {
        /// The meaning of each axis, e.g. `[b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f]`.
        var dimensions: String
        var strides: [Int]
        var low: [Int]
        var high: [Int]
        /// Dilation of the data and of the kernel.
        var dataDilation: [Int]
        var kernelDilation: [Int]
        var featureGroups = 1
        var batchGroups = 1
    }

    func convolved(_ kernel: HLOValue, _ form: ConvolutionForm, result: [Int]) -> HLOValue {
        let high = "#stablehlo<precision \(precision)>"
        return function.emit(
            result, type,
            "\"stablehlo.convolution\"(\(name), \(kernel.name)) {batch_group_count = \(form.batchGroups) : i64, "
                + "feature_group_count = \(form.featureGroups) : i64, dimension_numbers = #stablehlo.conv<\(form.dimensions)>, "
                + "padding = \(Self.padding(form.low, form.high)), window_strides = \(Self.array(form.strides)), "
                + "lhs_dilation = \(Self.array(form.dataDilation)), rhs_dilation = \(Self.array(form.kernelDilation)), "
                + "precision_config = [\(high), \(high)]} : (\(text), \(kernel.text)) -> \(Self.text(result, type))")
    }

    // MARK: Indices

    /// Elements at positions of the flattened array.
    /// - Parameter indices: integers (i32) within the array.
    func gathered(_ indices: HLOValue) -> HLOValue {
        let row = reshaped([elementCount]), list = indices.reshaped([indices.elementCount, 1])
        return function.emit(
            [indices.elementCount], type,
            "\"stablehlo.gather\"(\(row.name), \(list.name)) {dimension_numbers = #stablehlo.gather<"
                + "collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1>, "
                + "indices_are_sorted = false} : (\(row.text), \(list.text)) -> "
                + Self.text([indices.elementCount], type)
        ).reshaped(indices.dims)
    }

    /// Rows of a table (rows, …) at indices: (indices…, …).
    func rows(_ indices: HLOValue) -> HLOValue {
        let width = elementCount / max(1, dims[0]), table = reshaped([dims[0], width])
        let count = indices.elementCount, list = indices.reshaped([count, 1])
        return function.emit(
            [count, width], type,
            "\"stablehlo.gather\"(\(table.name), \(list.name)) {dimension_numbers = #stablehlo.gather<offset_dims = [1], "
                + "collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, "
                + "slice_sizes = array<i64: 1, \(width)>, indices_are_sorted = false} : (\(table.text), \(list.text)) -> "
                + Self.text([count, width], type)
        ).reshaped(indices.dims + dims.dropFirst())
    }

    /// Zeros with the given extent, with each element of this (any shape) added at its index.
    func scattered(_ indices: HLOValue, count: Int) -> HLOValue {
        let zeros = function.constant(0, [count], type), scalar = Self.text([], type)
        let updates = reshaped([elementCount]), list = indices.reshaped([indices.elementCount, 1])
        return function.emit(
            [count], type,
            "\"stablehlo.scatter\"(\(zeros.name), \(list.name), \(updates.name)) ({\n^bb0(%a: \(scalar), %b: \(scalar)):\n"
                + "%c = stablehlo.add %a, %b : \(scalar)\nstablehlo.return %c : \(scalar)\n"
                + "}) {scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], "
                + "scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, indices_are_sorted = false, "
                + "unique_indices = false} : (\(zeros.text), \(list.text), \(updates.text)) -> \(zeros.text)")
    }

    /// A stable sort along an axis; `places` gives the index that each element had (i32).
    func sorted(axis: Int, ascending: Bool) -> (values: HLOValue, places: HLOValue) {
        let order = function.iota(dims, axis: axis), scalar = Self.text([], type), index = Self.text([], .i32)
        let results = function.emit(
            [(dims, type), (dims, .i32)],
            "\"stablehlo.sort\"(\(name), \(order.name)) ({\n^bb0(%a: \(scalar), %b: \(scalar), %p: \(index), %q: \(index)):\n"
                + "%c = stablehlo.compare \(ascending ? "LT" : "GT"), %a, %b : (\(scalar), \(scalar)) -> tensor<i1>\n"
                + "stablehlo.return %c : tensor<i1>\n}) {dimension = \(axis) : i64, is_stable = true} : "
                + "(\(text), \(order.text)) -> (\(text), \(order.text))")
        return (results[0], results[1])
    }
}
