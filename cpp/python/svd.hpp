// Eigen's SVD takes half a minute to compile: instantiated once a module, in svd.cpp.
#pragma once

#include <Eigen/SVD>

extern template class Eigen::BDCSVD<Eigen::MatrixXd>;
