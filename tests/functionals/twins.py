"""Every functional of one contour, slow and plain, as its definition reads."""

import math

import numpy as np

F = np.float32
STEP = F(0.01)


def basics(x):
    low, high = min(x), max(x)
    mean = F(sum(float(v) for v in x) / len(x))
    return low, high, F(high - low), mean


def soft_limit(v, linear, room):
    v, linear, room = F(v), F(linear), F(room)
    if abs(v) <= linear:
        return v

    def logistic(z):
        return F(F(2) * F(1 / (1 + math.exp(-2 * float(z)))) - F(1))

    if v > linear:
        z = F((math.sqrt(float(F(v - linear)) + 1) - 1) / (0.5 * float(room)))
        return F(linear + F(room * logistic(z)))
    z = F(-F((math.sqrt(float(F(-F(v + linear))) + 1) - 1) / (0.5 * float(room))))
    return F(-linear + F(room * logistic(z)))


# ------------------------------------------------------------------------------------------------------- per functional


def means(x):
    n = len(x)
    positive = [float(v) for v in x if v > 0]
    absolute = [abs(float(v)) for v in x]
    nonzero = [v for v in absolute if v]
    flat = 1.0
    if nonzero:
        flat = math.exp(math.fsum(math.log(v) for v in nonzero) / len(nonzero)) / (sum(absolute) / n)
    return {
        "amean": basics(x)[3],
        "posamean": F(sum(positive) / len(positive)) if positive else F(0),
        "rqmean": F(math.sqrt(sum(v * v for v in absolute) / n)),
        "flatness": F(flat),
        "nnz": F(len(nonzero) / n),
    }


def extremes(x):
    low, high, spread, _ = basics(x)
    return {"range": spread, "maxPos": F(x.index(high) / len(x)), "minPos": F(x.index(low) / len(x))}


def moments(x):
    mean = float(basics(x)[3])
    m2, m3, m4 = (sum((float(v) - mean) ** k for v in x) / len(x) for k in (2, 3, 4))
    if m2 == 0:
        return dict.fromkeys(("stddev", "skewness", "kurtosis", "stddevNorm"), F(0))
    return {
        "stddev": F(math.sqrt(m2)),
        "skewness": F(m3 / m2**1.5),
        "kurtosis": F(m4 / m2**2),
        "stddevNorm": F(math.sqrt(m2) / mean if mean else math.sqrt(m2)),
    }


def percentile(x, share):
    ordered = sorted(x)
    place = share * (len(x) - 1)
    j = math.floor(place)
    g = place - j
    return ordered[j] if g == 0 else F(F(ordered[j] * F(1 - g)) + F(ordered[j + 1] * F(g)))


def regression(x, per):
    n = len(x)
    low, _, spread, mean = basics(x)
    y0 = float(mean) * n
    y1 = sum(i * float(v) for i, v in enumerate(x))
    y2 = sum(i * i * float(v) for i, v in enumerate(x))
    m = a = b = 0.0
    t = c = float(mean)
    if n > 1:
        s1, s2, s4 = (float(sum(i**k for i in range(n))) for k in (1, 2, 4))
        s3 = s1 * s1
        q = s1 / s2
        t = (y0 - y1 * q) / (n - s1 * q)
        m = (y1 - t * s1) / s2
        det = s4 * s2 * n + 2 * s3 * s1 * s2 - s2 * s2 * s2 - s3 * s3 * n - s1 * s1 * s4
        a = b = c = 0.0
        if det:
            a = ((s2 * n - s1 * s1) * y2 + (s1 * s2 - s3 * n) * y1 + (s3 * s1 - s2 * s2) * y0) / det
            b = ((s1 * s2 - s3 * n) * y2 + (s4 * n - s2 * s2) * y1 + (s3 * s2 - s4 * s1) * y0) / det
            c = ((s3 * s1 - s2 * s2) * y2 + (s3 * s2 - s4 * s1) * y1 + (s4 * s2 - s3 * s3) * y0) / det
    reach, scale = (float(spread), 1 / float(spread)) if spread > 0 else (1.0, 0.0)
    absolute = sum(abs(float(v)) for v in x)
    root = math.sqrt(reach / 10)
    return {
        "linregc1": F(float(soft_limit(m, reach / 10, reach / 10 + 0.01)) * per * scale),
        "linregc2": F((t - float(low)) * scale),
        "linregerrQ": F(sum(((float(v) - (m * i + t)) * scale) ** 2 for i, v in enumerate(x)) / n),
        "qregc1": F(float(soft_limit(a, root, root + 0.01)) * (per * per) * scale),
        "qregc2": F(float(soft_limit(b, reach / 10, reach / 10 + 0.01)) * per * scale),
        "qregc3": F((c - float(low)) * scale),
        "qregerrQ": F(sum(((float(v) - (a * i * i + b * i + c)) * scale) ** 2 for i, v in enumerate(x)) / n),
        "centroid": F(float(F(sum(i * abs(float(v)) for i, v in enumerate(x)) / absolute)) / n) if absolute else F(0),
    }


def times(x, levels):
    n = len(x)
    low, _, spread, _ = basics(x)
    found = {}
    for q in levels:
        line = F(F(F(q) * spread) + low)
        found[f"upleveltime{round(100 * q)}"] = F((n - sum(v <= line for v in x)) / n)
    rising = sum(x[i] > x[i - 1] for i in range(1, n))
    left = sum(F(x[i + 1] - x[i]) > F(x[i] - x[i - 1]) for i in range(1, n - 1))
    found["risetime"] = F(rising / (n - 1)) if n > 1 else F(0)
    found["leftctime"] = F(left / (n - 2)) if n > 2 else F(0)
    return found


def linear_prediction(x, order):
    n = len(x)
    r = []
    for lag in range(order + 1):
        total = F(0)
        for i in range(lag, n):
            total = F(total + F(x[i] * x[i - lag]))
        r.append(total)
    a = [F(0)] * (order + 1)
    error = r[0]
    for m in range(1, order + 1):
        if error == 0:
            break
        s = r[m]
        for j in range(1, m):
            s = F(s + F(a[j] * r[m - j]))
        k = F(F(F(-1) / error) * s)
        old = a[:]
        for j in range(1, m):
            a[j] = F(old[j] + F(k * old[m - j]))
        a[m] = k
        error = F(error * F(F(1) - F(k * k)))
    found = {f"lpc{j - 1}": a[j] for j in range(1, order + 1)}
    found["lpgain"] = F(error / F(n)) if r[0] else F(0)
    return found


def lengths_to_values(lengths, n):
    found = dict.fromkeys(("numSegments", "meanSegLen", "maxSegLen", "minSegLen", "segLenStddev"), F(0))
    if lengths:
        count = F(len(lengths))
        mean = F(F(sum(lengths)) / count)
        found["numSegments"] = F(count / F(STEP * F(n)))
        found["meanSegLen"] = F(mean * STEP)
        found["maxSegLen"] = F(F(max(lengths)) * STEP)
        found["minSegLen"] = F(F(min(lengths)) * STEP)
        if len(lengths) > 1:
            v = F(0)
            for length in lengths:
                d = F(F(length) - mean)
                v = F(v + F(d * d))
            found["segLenStddev"] = F(F(math.sqrt(float(F(v / count)))) * STEP)
    return found


def level_segments(x, levels, most):
    n = len(x)
    low, _, spread, _ = basics(x)
    lines = [F(low + F(spread * F(q))) for q in levels]
    least = max(2, n // 100 - 1)
    boundary = -(least // 2)
    total, before, lengths = F(0), F(0), []
    for i in range(n):
        total = F(total + x[i])
        if i >= 3:
            total = F(total - x[i - 3])
        v = F(total / F(min(i + 1, 3)))
        crossing = any((v > line and before <= line) or (v < line and before >= line) for line in lines)
        if crossing and i - boundary > least:
            if len(lengths) < most:
                lengths.append(i - boundary)
            boundary = i
        before = v
    return lengths_to_values(lengths, n)


def run_segments(x, of_zeros, shortest, pause, most):
    state, lengths = "idle", []
    start = last = active = gap = 0
    for i, v in enumerate(x):
        is_active = (v == 0) == of_zeros
        if state == "idle":
            if is_active:
                start = last = i
                active, gap, state = 1, 0, "candidate"
                if active >= shortest:
                    state = "inside"
        elif is_active:
            active, gap, last = active + 1, 0, i
            if active >= shortest:
                state = "inside"
        else:
            gap += 1
            if gap == pause:
                if state == "inside":
                    lengths.append(last - start)
                state = "idle"
    if state == "inside":
        lengths.append(last - start)
    return lengths_to_values(lengths[:most], len(x))


def extrema(x, theta):
    """Positions of peaks (+1) and valleys (-1) that count."""
    n = len(x)
    candidates = []
    for i in range(2, n - 2):
        if x[i] > x[i - 1] and x[i] > x[i + 1]:
            candidates.append([i, 1, True])
        elif x[i] < x[i - 1] and x[i] < x[i + 1]:
            candidates.append([i, -1, True])
    before = valley = top = x[0]
    accepted, deep = None, False
    for candidate in candidates:
        y = x[candidate[0]]
        away = abs(F(y - before)) >= theta
        if candidate[1] == 1:
            if away:
                top, accepted, deep = y, candidate, False
            elif F(y - valley) < theta:
                candidate[2] = False
            elif float(y) > 1.05 * float(top):
                if accepted is not None:
                    accepted[2] = False
                top, accepted, deep = y, candidate, False
            elif deep:
                top, accepted, deep = y, candidate, False
            else:
                candidate[2], deep = False, False
        elif away:
            deep, valley = True, y
        before = y
    top, kept = x[0], []
    for i, kind, keep in candidates:
        if keep and kind == 1:
            top = x[i]
            kept.append((i, 1))
        elif keep and not F(top - x[i]) < theta:
            kept.append((i, -1))
    found = []
    for i, kind in kept:
        if found and found[-1][1] == kind:
            if kind * x[i] > kind * x[found[-1][0]]:
                found[-1] = (i, kind)
        else:
            found.append((i, kind))
    return found


def peaks(x, threshold):
    n = len(x)
    _, _, spread, mean = basics(x)
    found = extrema(x, F(F(threshold) * spread))
    tops = [i for i, kind in found if kind == 1]
    lows = [i for i, kind in found if kind == -1]
    out = {"numPeaks": F(F(len(tops)) / F(F(n) * STEP)), "meanPeakDist": F(0), "peakDistStddev": F(0)}
    if len(tops) > 1:
        between = F(F(tops[-1] - tops[0]) / F(len(tops) - 1))
        squares = F(0)
        for i in tops[1:]:
            valley = max(j for j in lows if j < i)
            d = F(F(i - valley) - between)
            squares = F(squares + F(d * d))
        out["meanPeakDist"] = F(between * STEP)
        out["peakDistStddev"] = F(F(math.sqrt(float(F(squares / F(len(tops) - 1))))) * STEP)
    total = F(0)
    for i in tops:
        total = F(total + x[i])
    top_mean = F(total / F(len(tops))) if tops else F(0)
    reach = F(max(x[i] for i in tops) - min(x[i] for i in tops)) if tops else F(0)
    depth = F(max(x[i] for i in lows) - min(x[i] for i in lows)) if lows else F(0)
    out["peakRangeAbs"] = reach
    out["peakRangeRel"] = min(abs(F(reach / spread)), F(1)) if spread else reach
    out["peakMeanAbs"] = top_mean
    out["peakMeanMeanDist"] = F(top_mean - mean)
    out["peakMeanRel"] = soft_limit(F(top_mean / mean), 10, 10) if mean else F(20)
    out["minRangeRel"] = min(abs(F(depth / spread)), F(1)) if spread else depth
    if not found:
        v = F(F(x[-1] - x[0]) / F(n))
        out |= {"meanRisingSlope": max(v, F(0)), "meanFallingSlope": min(v, F(0))}
        return out | {"stddevRisingSlope": F(0), "stddevFallingSlope": F(0)}
    slopes = {1: [], -1: []}
    start = 0
    for i, kind in found:
        slopes[kind].append(F(F(kind) * F(x[i] - x[start]) / F(F(i - start) * STEP)))
        start = i
    for kind, name in ((1, "Rising"), (-1, "Falling")):
        inner = list(slopes[kind])
        count = len(inner)
        total = F(0)
        for slope in inner:
            total = F(total + slope)
        if found[-1][1] != kind:
            total = F(total + F(F(x[-1] - x[start]) / F(F(n - 1 - start) * STEP)))
            count += 1
        average = F(total / F(count)) if count else F(0)
        squares = F(0)
        for slope in inner:
            d = F(slope - average)
            squares = F(squares + F(d * d))
        out[f"mean{name}Slope"] = average
        out[f"stddev{name}Slope"] = F(math.sqrt(float(F(squares / F(count))))) if count else F(0)
    return out


def everything(x, per_unit):
    """All functionals of one contour, a list of float32."""
    levels = (0.25, 0.5, 0.75, 0.9)
    out = means(x) | extremes(x) | moments(x) | regression(x, per_unit) | times(x, levels)
    out |= linear_prediction(x, 5) | peaks(x, 0.1)
    for share, name in ((0.25, "quartile1"), (0.5, "quartile2"), (0.75, "quartile3"), (0.01, "percentile1.0")):
        out[name] = percentile(x, share)
    out["percentile99.0"] = percentile(x, 0.99)
    for a, b in ((1, 2), (2, 3), (1, 3)):
        out[f"iqr{a}-{b}"] = F(out[f"quartile{b}"] - out[f"quartile{a}"])
    out["pctlrange0-1"] = abs(F(out["percentile99.0"] - out["percentile1.0"]))
    return out
