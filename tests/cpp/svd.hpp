// Eigen's SVD of matrices of doubles is compiled once, in main.cpp: it takes half a minute.
#pragma once

#include <Eigen/SVD>

extern template class Eigen::BDCSVD<Eigen::MatrixXd>;
