import AnnealCompiler
import AnnealCore
import AnnealGraph

extension Pad: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let sources = PadSources(self, data: try site.shape(.input(0))), constant = constantValue
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            return { sources.forEach { i, j in y[i] = j < 0 ? constant : x[j] } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.gradient(0)), count = data.count
        let sources = PadSources(self, data: data)
        return PreparedKernel { memory in
            let dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            return {
                dx.update(repeating: 0, count: count)
                sources.forEach { i, j in if j >= 0 { dx[j] += dy[i] } }
            }
        }
    }
}

/// Where each element of a padded array comes from.
private struct PadSources {
    /// For each axis, by output index: the offset in the data, or -1 for the constant.
    private let offsets: [[Int]]

    init(_ pad: Pad, data: Shape) {
        let strides = rowStrides(data)
        offsets = data.dims.indices.map { axis in
            let extent = data[axis], before = pad.padWidth[2 * axis]
            return (0..<(before + extent + pad.padWidth[2 * axis + 1])).map { index in
                let place = index - before
                switch pad.mode {
                case _ where place >= 0 && place < extent: return place * strides[axis]
                case .constant: return -1
                case .edge: return min(max(place, 0), extent - 1) * strides[axis]
                case .reflect: return (place < 0 ? -place : 2 * (extent - 1) - place) * strides[axis]
                }
            }
        }
    }

    /// Calls body(output element, data element or -1).
    func forEach(_ body: (Int, Int) -> Void) {
        guard let last = offsets.last else { return }
        let rows = offsets.dropLast().reduce(1) { $0 * $1.count }
        for row in 0..<rows {
            var rest = row, start = 0
            for axis in offsets.indices.dropLast().reversed() {
                let offset = offsets[axis][rest % offsets[axis].count]
                rest /= offsets[axis].count
                start = start < 0 || offset < 0 ? -1 : start + offset
            }
            for k in last.indices { body(row * last.count + k, start < 0 || last[k] < 0 ? -1 : start + last[k]) }
        }
    }
}
