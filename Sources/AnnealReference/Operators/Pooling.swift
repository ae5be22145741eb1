import AnnealCore
import AnnealGraph
import Foundation

extension Pooling: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], windows = PoolingWindows(try window(x.shape), x.shape)
        var y = NDArray(try operands.shape(.output(0))), winners = NDArray(y.shape, repeating: -1)
        windows.forEach(y.shape) { place, pixels, cells in
            switch kind {
            case .max where isFirstVersion:
                // Zeros of the padding take part in the maximum.
                let floor = cells > pixels.count ? 0 : -Double.infinity
                y[place] = pixels.reduce(floor) { $0 >= x[$1] || $0.isNaN ? $0 : x[$1] }
            case .max:
                // The first in row order wins a tie.
                guard var best = pixels.first else { return }
                for pixel in pixels where x[pixel] > x[best] { best = pixel }
                y[place] = x[best]
                winners[place] = Double(best)
            case .sum: y[place] = pixels.reduce(0) { $0 + x[$1] }
            case .avg: y[place] = pixels.reduce(0) { $0 + x[$1] } / divisor(windows.window.kernel, pixels.count, cells)
            case .lp:
                let sum = pixels.reduce(0) { $0 + pow(x[$1], Double(power)) }
                y[place] = power == 1 ? sum : power == 2 ? sum.squareRoot() : cbrt(sum)
            }
        }
        operands.write(.output(0), y)
        if !isFirstVersion { operands.write(.saved(0), winners) }
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)], shape = try operands.shape(.gradient(0))
        let windows = PoolingWindows(try window(shape), shape)
        let x = operands.optional(.input(0)), y = operands.optional(.output(0)), winners = operands.optional(.saved(0))
        var dx = NDArray(shape)
        windows.forEach(dy.shape) { place, pixels, cells in
            if let winners {
                if winners[place] >= 0 { dx[Int(winners[place])] += dy[place] }
                return
            }
            for pixel in pixels {
                switch kind {
                case .max:
                    // Every cell with the first version's maximum; the later version stores the winner.
                    if let x, let y, x[pixel] == y[place] { dx[pixel] += dy[place] }
                case .avg: dx[pixel] += dy[place] / divisor(windows.window.kernel, pixels.count, cells)
                case .lp where power > 1:
                    guard let x, let y, y[place] != 0 else { continue }
                    dx[pixel] += dy[place] * pow(x[pixel] / y[place], Double(power - 1))
                default: dx[pixel] += dy[place]
                }
            }
        }
        operands.write(.gradient(0), dx)
    }

    /// - Parameters:
    ///   - window: its extents.
    ///   - pixels: the part of the window inside the image.
    ///   - cells: the part of the window inside the padded image.
    private func divisor(_ window: [Int], _ pixels: Int, _ cells: Int) -> Double {
        isFirstVersion ? Double(window.reduce(1, *)) : Double(max(countIncludePad ? cells : pixels, 1))
    }
}

private struct PoolingWindows {
    let window: (kernel: [Int], stride: [Int], pad: [Int])
    let data: Shape

    init(_ window: (kernel: [Int], stride: [Int], pad: [Int]), _ data: Shape) {
        self.window = window
        self.data = data
    }

    /// Calls body(element of the output, elements of the data in its window, cells of the window in the padded image).
    func forEach(_ output: Shape, _ body: (Int, [Int], Int) -> Void) {
        let extents = Array(data.dims.dropFirst(2)), positions = extents.reduce(1, *)
        let outputs = Array(output.dims.dropFirst(2)).reduce(1, *)
        for plane in 0..<(data[0] * data[1]) {
            for (place, index) in Indices(Array(output.dims.dropFirst(2))).enumerated() {
                var ranges: [Range<Int>] = [], cells = 1
                for axis in index.indices {
                    let first = index[axis] * window.stride[axis] - window.pad[axis]
                    let padded = min(first + window.kernel[axis], extents[axis] + window.pad[axis])
                    cells *= max(0, padded - first)
                    ranges.append(max(first, 0)..<max(max(first, 0), min(padded, extents[axis])))
                }
                let pixels = Indices(ranges.map(\.count)).map { inside in
                    zip(inside, zip(ranges, extents)).reduce(0) { $0 * $1.1.1 + $1.1.0.lowerBound + $1.0 }
                }
                body(plane * outputs + place, pixels.map { plane * positions + $0 }, cells)
            }
        }
    }
}
