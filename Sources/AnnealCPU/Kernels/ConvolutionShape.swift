import AnnealCore
import AnnealGraph
import CAnnealKernels

extension anneal_conv {
    /// A convolution's shape in the form that oneDNN and our own kernels take.
    /// - Parameters:
    ///   - pad: the padding before each axis; the window's if nil.
    ///   - data, output: its two activations.
    init(_ window: Window, pad: [Int]? = nil, groups: Int, data: Shape, output: Shape) {
        /// The values for depth, height and width; `missing` for axes that do not exist.
        func each(_ values: [Int], missing: Int) -> (Int64, Int64, Int64) {
            let all = Array(repeating: missing, count: 3 - values.count) + values
            return (Int64(all[0]), Int64(all[1]), Int64(all[2]))
        }
        self.init()
        (n, self.groups, axes) = (Int64(data[0]), Int64(groups), Int64(window.kernel.count))
        (ic, oc) = (Int64(data[1] / groups), Int64(output[1] / groups))
        (id, ih, iw) = each(Array(data.dims.dropFirst(2)), missing: 1)
        (od, oh, ow) = each(Array(output.dims.dropFirst(2)), missing: 1)
        (kd, kh, kw) = each(window.kernel, missing: 1)
        (sd, sh, sw) = each(window.stride, missing: 1)
        (pd, ph, pw) = each(pad ?? window.pad, missing: 0)
        (dd, dh, dw) = each(window.dilate, missing: 1)
    }
}
